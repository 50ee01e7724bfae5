// Samples at any times, put on the ticks of the contract's rate: by lines between neighbours, or, where they come more
// than half as often again, by means over each tick, so that what is faster than the contract does not fold into it.
class Resampler {
  constructor(rate) {
    this.step = 1 / rate;
    this.longest = Math.max(0.5, 3 * this.step);
    this.reset();
  }

  reset() {
    this.points = [];
    this.origin = null;
    this.tick = 0;
    this.dense = null;
  }

  // Return the samples that are known now, and whether a gap ended the stream before them.
  push(time, values) {
    const newest = this.points.at(-1);
    if (newest && time <= newest.time && time > newest.time - this.longest) return { gap: false, samples: [] };
    const gap = newest !== undefined && Math.abs(time - newest.time) > this.longest;
    if (gap) this.reset();
    if (this.origin === null) this.origin = time;
    this.points.push({ time, values });
    if (this.dense === null) {
      // Nine points tell how often they come.
      if (this.points.length < 9) return { gap, samples: [] };
      const apart = this.points.slice(1).map((point, place) => point.time - this.points[place].time);
      this.dense = apart.sort((a, b) => a - b)[apart.length >> 1] < this.step / 1.5;
    }
    return { gap, samples: this.take(time) };
  }

  take(until) {
    const samples = [], ahead = this.dense ? this.step / 2 : 0;
    for (;;) {
      const time = this.origin + this.tick * this.step;
      if (time + ahead > until + 1e-9) break;
      samples.push(this.at(time));
      this.tick += 1;
    }
    const needed = this.origin + (this.tick - 1) * this.step;
    let first = 0;
    while (first + 2 < this.points.length && this.points[first + 1].time < needed) first += 1;
    this.points.splice(0, first);
    return samples;
  }

  at(time) {
    if (this.dense) {
      const near = this.points.filter((point) => Math.abs(point.time - time) <= this.step / 2 + 1e-9);
      if (near.length) return near[0].values.map((_, c) => near.reduce((sum, p) => sum + p.values[c], 0) / near.length);
    }
    const later = Math.max(1, this.points.findIndex((point) => point.time >= time - 1e-9));
    const [a, b] = [this.points[later - 1], this.points[later]];
    const part = Math.min(1, Math.max(0, (time - a.time) / (b.time - a.time)));
    return a.values.map((value, c) => value + (b.values[c] - value) * part);
  }
}
