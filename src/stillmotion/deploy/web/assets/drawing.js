// The last seconds of the signal, and the activities so far; each with its text beside it.
const SHOWN = 10;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A canvas at the device's resolution, cleared.
function begin(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = globalThis.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height };
}

function drawSignal(canvas, samples, contract) {
  const { pen, width, height } = begin(canvas);
  const groups = new Map();
  contract.channels.forEach((channel, place) => {
    const name = [channel.position, channel.sensor].filter(Boolean).join(".");
    groups.set(name, [...(groups.get(name) ?? []), place]);
  });
  const count = Math.round(SHOWN * contract.rate), tall = height / groups.size;
  const shown = samples.slice(-count);
  [...groups].forEach(([name, places], row) => {
    let [low, high] = [Infinity, -Infinity];
    for (const sample of shown) {
      for (const place of places) {
        if (!Number.isFinite(sample[place])) continue;
        low = Math.min(low, sample[place]);
        high = Math.max(high, sample[place]);
      }
    }
    const middle = (low + high) / 2, span = Math.max(high - low, 1e-3);
    const y = (value) => (row + 0.5) * tall - ((value - middle) / span) * (tall - 26);
    pen.strokeStyle = style("rule");
    pen.strokeRect(0.5, row * tall + 0.5, width - 1, tall - 1);
    places.forEach((place, order) => {
      pen.strokeStyle = style(`series-${1 + (order % 3)}`);
      pen.lineWidth = 1.5;
      pen.beginPath();
      shown.forEach((sample, at) => pen.lineTo(width - ((shown.length - 1 - at) / count) * width, y(sample[place])));
      pen.stroke();
    });
    pen.lineWidth = 1;
    pen.fillStyle = style("quiet");
    const unit = contract.channels[places[0]].unit;
    pen.fillText(unit ? `${name}, ${unit}` : name, 6, row * tall + 14);
  });
}

function drawTimeline(canvas, bouts, contract, unknown) {
  const names = [...contract.classes, ...(unknown ? ["unknown"] : [])];
  canvas.style.height = `${20 * names.length + 22}px`;
  const { pen, width, height } = begin(canvas);
  const margin = Math.min(150, width * 0.36), last = Math.max(60, bouts.at(-1)?.end ?? 0), first = Math.max(0, last - 300);
  const x = (time) => margin + ((Math.max(time, first) - first) / (last - first)) * (width - margin - 4);
  pen.fillStyle = style("ink");
  pen.strokeStyle = style("rule");
  names.forEach((name, row) => {
    pen.fillText(name, 0, 20 * row + 14, margin - 8);
    pen.strokeRect(margin + 0.5, 20 * row + 0.5, width - margin - 4, 20);
  });
  pen.fillStyle = style("series-1");
  for (const bout of bouts) {
    const row = bout.label < 0 ? contract.classes.length : bout.label;
    if (bout.end > first) pen.fillRect(x(bout.start), 20 * row + 3, Math.max(2, x(bout.end) - x(bout.start)), 14);
  }
  pen.fillStyle = style("quiet");
  pen.fillText(`${first.toFixed(0)} s`, margin, height - 6);
  const end = `${last.toFixed(0)} s`;
  pen.fillText(end, width - 4 - pen.measureText(end).width, height - 6);
}
