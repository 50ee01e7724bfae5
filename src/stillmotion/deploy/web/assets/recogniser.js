// The generated C, sample by sample.
const decodeBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

class Recogniser {
  static async load(contract) {
    const { instance } = await WebAssembly.instantiate(decodeBytes(contract.wasm), {});
    return new Recogniser(contract, instance.exports);
  }

  constructor(contract, code) {
    this.contract = contract;
    this.code = code;
    const floats = (start, count) => new Float32Array(code.memory.buffer, start, count);
    this.sample = floats(code.sample(), contract.channels.length);
    this.logits = floats(code.logits(), contract.classes.length);
    this.probabilities = floats(code.probabilities(), contract.classes.length);
    this.reset(0);
  }

  // Forget all samples; the next one is at this second.
  reset(origin) {
    this.code.init();
    this.origin = origin;
    this.taken = 0;
    this.waiting = [];
  }

  // The second of the next sample.
  get clock() {
    return this.origin + this.taken / this.contract.rate;
  }

  // Take a sample; return the answer that is known now, or null. A decoder answers for a window that ended before.
  push(values) {
    const { window, hop, rate } = this.contract;
    this.sample.set(values);
    const label = this.code.push();
    this.taken += 1;
    const past = this.taken - window;
    if (past >= 0 && past % hop === 0) {
      this.code.answer();
      this.waiting.push({
        start: this.origin + past / rate,
        end: this.clock,
        logits: this.logits.slice(),
        probabilities: this.probabilities.slice(),
      });
    }
    if (label === -1) return null;
    return { ...this.waiting.shift(), label };
  }

  // The logits of one window alone.
  answer(samples) {
    this.reset(0);
    for (const values of samples) this.push(values);
    return this.logits.slice();
  }
}

// Run the golden windows that the page holds; return their logits, and how many windows give, bit for bit, those that
// the machine that wrote the page computed.
function runGolden(recogniser) {
  const { channels, window, classes, golden } = recogniser.contract;
  const [windows, expected] = [golden.windows, golden.logits].map((text) => decodeBytes(text).buffer);
  const values = new Float32Array(windows), wanted = new Uint32Array(expected), width = channels.length;
  const count = wanted.length / classes.length, logits = new Float32Array(wanted.length);
  let equal = 0;
  for (let number = 0; number < count; number++) {
    const samples = Array.from({ length: window }, (_, row) => {
      const start = (number * window + row) * width;
      return values.subarray(start, start + width);
    });
    const start = number * classes.length;
    logits.set(recogniser.answer(samples), start);
    const bits = new Uint32Array(logits.buffer, 4 * start, classes.length);
    if (bits.every((each, at) => each === wanted[start + at])) equal += 1;
  }
  recogniser.reset(0);
  return { logits, count, equal };
}
