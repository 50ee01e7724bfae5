// What the buttons do: replay, a dropped recording, the device's sensors.
const contract = JSON.parse(document.getElementById("contract").textContent);
const part = (name) => document.getElementById(name);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const answers = [], bouts = [], recent = [];
let recogniser, samples = [], place = 0, playing = false, last = 0, resampler = null, listening = 0;

const percent = (share) => `${(100 * share).toFixed(0)} %`;
const nameOf = (label) => (label < 0 ? "unknown" : contract.classes[label]);
const say = (text) => {
  part("message").textContent = text;
};

function restart(origin = 0) {
  recogniser.reset(origin);
  if (origin === 0) {
    for (const list of [answers, bouts, recent]) list.length = 0;
    place = 0;
    part("activity").textContent = "–";
    part("sure").textContent = "";
    part("answers").replaceChildren();
    for (const meter of document.querySelectorAll("meter")) meter.value = 0;
  }
  draw();
}

function take(sample) {
  recent.push(sample);
  if (recent.length > 2 * SHOWN * contract.rate) recent.splice(0, recent.length - SHOWN * contract.rate);
  const answer = recogniser.push(sample);
  if (answer) show(answer);
  return answer;
}

function show(answer) {
  answers.push(answer);
  const share = Math.max(0, answer.label < 0 ? Math.max(...answer.probabilities) : answer.probabilities[answer.label]);
  const text = nameOf(answer.label);
  // Screen readers speak a change alone.
  if (part("activity").textContent !== text) part("activity").textContent = text;
  part("sure").textContent = `${percent(share)} sure, ${answer.start.toFixed(1)}–${answer.end.toFixed(1)} s`;
  answer.probabilities.forEach((value, label) => {
    part(`class-${label}`).value = value;
    part(`share-${label}`).textContent = percent(value);
  });
  const middle = (contract.window / contract.rate - contract.hop / contract.rate) / 2;
  const [start, end] = [answer.start + middle, answer.end - middle];
  const bout = bouts.at(-1);
  if (bout && bout.label === answer.label && start - bout.end < 1.5 * (contract.hop / contract.rate)) {
    bout.end = end;
    bout.shares.push(share);
  } else {
    bouts.push({ label: answer.label, start, end, shares: [share] });
    const row = part("answers").insertRow();
    for (let cell = 0; cell < 3; cell++) row.insertCell();
  }
  const { label, start: from, end: to, shares } = bouts.at(-1);
  const cells = part("answers").rows[part("answers").rows.length - 1].cells;
  const mean = shares.reduce((sum, value) => sum + value, 0) / shares.length;
  [`${from.toFixed(1)}–${to.toFixed(1)}`, nameOf(label), percent(mean)].forEach((value, at) => {
    cells[at].textContent = value;
  });
}

function draw() {
  drawSignal(part("signal"), recent, contract);
  drawTimeline(part("timeline"), bouts, contract, bouts.some((bout) => bout.label < 0));
  const names = [...new Set(bouts.map((bout) => nameOf(bout.label)))];
  part("timeline").setAttribute("aria-label", `Activities so far: ${names.join(", ") || "none"}; as a table below.`);
}

function stop() {
  playing = false;
  part("play").textContent = place < samples.length ? "Play" : "Play again";
}

function play() {
  if (place >= samples.length) restart();
  stopSensors();
  playing = true;
  last = performance.now();
  part("play").textContent = "Pause";
  requestAnimationFrame(step);
}

// Push what is due. A page in the background catches up by a second at most.
function step(now) {
  if (!playing) return;
  const due = Math.min(now - last, 1000) / 1000 * contract.rate * Number(part("speed").value);
  const count = Math.floor(due);
  last += Math.min(now - last, 1000) * (due ? count / due : 0) + Math.max(0, now - last - 1000);
  let answered = false;
  for (let each = 0; each < count && place < samples.length; each++) answered = take(samples[place++]) !== null || answered;
  if (!calm.matches || answered) draw();
  if (place < samples.length) requestAnimationFrame(step);
  else stop();
}

function open(rows, source) {
  samples = rows;
  part("source").textContent = source;
  stopSensors();
  restart();
  stop();
}

function readOwn() {
  const { counts, shifts, source } = contract.recording;
  const whole = new Int16Array(decodeBytes(counts).buffer), width = contract.channels.length;
  const rows = Array.from({ length: whole.length / width }, (_, row) =>
    shifts.map((shift, column) => whole[row * width + column] * 2 ** -shift),
  );
  open(rows, source);
}

async function readFile(file) {
  try {
    const { samples: rows, resampled } = readTable(await file.text(), contract, file.name);
    const how = resampled ? `, resampled from ${resampled.toPrecision(3)} Hz` : `, taken as ${contract.rate} Hz`;
    open(rows, `${file.name}: ${(rows.length / contract.rate).toFixed(1)} s${how}.`);
    say("");
  } catch (problem) {
    say(problem.message);
  }
}

async function startSensors() {
  if (listening) return stopSensors();
  const refusal = refuseMotion(contract);
  if (refusal) return say(refusal);
  if (typeof DeviceMotionEvent.requestPermission === "function") {
    const answer = await DeviceMotionEvent.requestPermission().catch(() => "denied");
    if (answer !== "granted") return say("This device's sensors were not allowed; allow motion for this page and try again.");
  }
  stop();
  say("");
  restart();
  resampler = new Resampler(contract.rate);
  part("source").textContent = "This device's sensors: hold it where the model's sensor was worn.";
  part("sensors").textContent = "Stop the sensors";
  addEventListener("devicemotion", onMotion);
  listening = setTimeout(() => {
    if (!answers.length && !recent.length) {
      stopSensors();
      say("This browser delivers no motion; open the page on a phone, or drop a recording.");
    }
  }, 2000);
}

function stopSensors() {
  if (!listening) return;
  clearTimeout(listening);
  removeEventListener("devicemotion", onMotion);
  listening = 0;
  part("sensors").textContent = "Use this device's sensors";
}

function onMotion(event) {
  const values = readMotion(event, contract);
  if (values === null) return;
  const { gap, samples: due } = resampler.push(event.timeStamp / 1000, values);
  if (gap) restart(recogniser.clock);
  let answered = false;
  for (const sample of due) answered = take(sample) !== null || answered;
  if (due.length && (!calm.matches || answered)) draw();
}

// What the page computes here, beside what it should: for whoever reads it, and in base64 for still verify.
function showGolden({ logits, count, equal }) {
  const text = part("golden");
  text.textContent = `${equal} of ${count} golden windows give here, bit for bit, the logits of the machine that wrote this page.`;
  text.dataset.windows = count;
  text.dataset.logits = btoa(String.fromCharCode(...new Uint8Array(logits.buffer)));
  if (equal < count) say(`This browser computes other logits than the machine that wrote this page; do not trust it here.`);
}

part("play").addEventListener("click", () => (playing ? stop() : play()));
part("again").addEventListener("click", () => {
  stopSensors();
  restart();
  stop();
});
part("end").addEventListener("click", () => {
  stopSensors();
  while (place < samples.length) take(samples[place++]);
  stop();
  draw();
});
part("file").addEventListener("change", (event) => event.target.files[0] && readFile(event.target.files[0]));
part("sensors").addEventListener("click", startSensors);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) readFile(event.dataTransfer.files[0]);
});
addEventListener("resize", () => recogniser && draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => recogniser && draw());

Recogniser.load(contract).then(
  (loaded) => {
    recogniser = loaded;
    showGolden(runGolden(recogniser));
    readOwn();
    for (const button of document.querySelectorAll("button")) button.disabled = false;
    // For whoever drives the page by a program.
    globalThis.stillmotion = { answers, recent, contract };
  },
  (problem) => say(`This browser cannot run the model (${problem.message}); use one that runs WebAssembly.`),
);
