// A phone's motion sensors in the units and with the signs of the contract.
// Browsers give acceleration with gravity in m/s² and turning in degrees a second, alpha about x, beta about y and gamma
// about z. Android follows the specification (flat on a table, z is +9.8); iOS has the opposite sign of acceleration.
const GRAVITY = 9.80665;
const FACTORS = {
  acc: { g: 1 / GRAVITY, "m/s2": 1 },
  gyr: { "rad/s": Math.PI / 180, "deg/s": 1 },
};
const TURNS = { x: "alpha", y: "beta", z: "gamma" };

// Every browser of iOS is WebKit, whose vendor is Apple; asking for permission is no sign of it, as Chromium asks too.
const isApple = () => navigator.vendor.startsWith("Apple");

// Why this device cannot serve the model, as a sentence; empty if it can.
function refuseMotion(contract) {
  const places = new Set(contract.channels.map((channel) => channel.position));
  if (places.size > 1) return `The model takes sensors at ${[...places].join(" and ")}, but a phone is at one place.`;
  for (const channel of contract.channels) {
    if (!FACTORS[channel.sensor] || !TURNS[channel.axis])
      return `The model takes ${channel.name}, which browsers do not deliver; drop a recording instead.`;
    if (!FACTORS[channel.sensor][channel.unit])
      return `The model takes ${channel.name} in an unknown unit, so this device's values cannot be converted.`;
  }
  if (!globalThis.isSecureContext)
    return "Browsers give motion sensors to pages over HTTPS alone; open this page from such an address.";
  if (!("DeviceMotionEvent" in globalThis))
    return "This browser has no motion sensors; open the page on a phone, or drop a recording.";
  return "";
}

// The values of an event in the order of the contract, or null where the device has none.
function readMotion(event, contract) {
  const sign = isApple() ? -1 : 1;
  const values = contract.channels.map(({ sensor, axis, unit }) => {
    const value =
      sensor === "acc" ? event.accelerationIncludingGravity?.[axis] : event.rotationRate?.[TURNS[axis]];
    return value == null ? NaN : value * FACTORS[sensor][unit] * (sensor === "acc" ? sign : 1);
  });
  return values.some(Number.isNaN) ? null : values;
}
