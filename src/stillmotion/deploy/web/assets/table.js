// A recording in a CSV file, checked against the contract. Every refusal is a sentence with what is at fault.
const plainName = (text) => text.trim().replace(/^"(.*)"$/, "$1").toLowerCase().replace(/[^a-z0-9]+/g, ".");
const SECONDS = { time: 1, t: 1, seconds: 1, timestamp: 1, "time.s": 1, "time.ms": 1e-3, ms: 1e-3, "timestamp.ms": 1e-3 };

function readTable(text, contract, file) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/).filter((line) => line.trim() !== "");
  if (lines.length < 2) throw new Error(`${file} has no rows under a heading; expected a CSV file with named columns.`);
  const mark = [",", ";", "\t"].find((each) => lines[0].includes(each)) ?? ",";
  const heads = lines[0].split(mark).map(plainName);
  const { columns, missing } = findColumns(heads, contract);
  if (missing.length) {
    throw new Error(
      `${file} lacks the columns ${missing.join(", ")}; it has ${heads.join(", ") || "none"}: name them as the model does.`,
    );
  }
  const clock = heads.findIndex((head) => head in SECONDS);
  const rows = lines.slice(1).map((line, number) => {
    const cells = line.split(mark);
    if (cells.length !== heads.length)
      throw new Error(`Row ${number + 2} of ${file} has ${cells.length} cells, but its heading has ${heads.length}.`);
    return cells;
  });
  const number = (cell) => (cell.trim() === "" ? NaN : Number(cell.replaceAll('"', "")));
  const values = rows.map((cells) => columns.map((column) => number(cells[column])));
  const bad = values.filter((row) => row.some((value) => !Number.isFinite(value))).length;
  if (bad > values.length / 2)
    throw new Error(`${bad} of ${values.length} rows of ${file} hold no numbers in the model's columns.`);
  if (clock < 0) return { samples: requireWindow(values, contract, file), resampled: 0 };
  const times = rows.map((cells) => number(cells[clock]) * SECONDS[heads[clock]]);
  const unordered = times.findIndex((time, place) => !Number.isFinite(time) || (place > 0 && time < times[place - 1]));
  if (unordered >= 0) throw new Error(`The time in row ${unordered + 2} of ${file} is no number or goes back.`);
  return resampleTable(values, times, contract, file);
}

// Columns by their names in the contract (wrist.acc.x), or without the position (acc.x) where there is only one.
function findColumns(heads, contract) {
  const short = new Set(contract.channels.map((channel) => channel.position)).size === 1;
  const missing = [];
  const columns = contract.channels.map((channel) => {
    const ending = [channel.sensor, channel.axis].filter(Boolean).join(".").toLowerCase();
    const names = [plainName(channel.name), ...(short ? [ending] : [])];
    const place = heads.findIndex((head) => names.includes(head));
    if (place < 0) missing.push(channel.name);
    return place;
  });
  return { columns, missing };
}

function resampleTable(values, times, contract, file) {
  const apart = times.slice(1).map((time, place) => time - times[place]).sort((a, b) => a - b);
  const rate = 1 / apart[apart.length >> 1];
  if (!(rate > contract.rate / 4 && rate < contract.rate * 100))
    throw new Error(
      `${file} has about ${rate.toPrecision(3)} rows a second by its time column, the model takes ${contract.rate} Hz; ` +
        "give the time in seconds, or in milliseconds as time_ms.",
    );
  if (Math.abs(rate - contract.rate) < 0.01 * contract.rate)
    return { samples: requireWindow(values, contract, file), resampled: 0 };
  const resampler = new Resampler(contract.rate);
  const samples = times.flatMap((time, place) => resampler.push(time, values[place]).samples);
  return { samples: requireWindow(samples, contract, file), resampled: rate };
}

function requireWindow(samples, contract, file) {
  if (samples.length < contract.window)
    throw new Error(`${file} has ${samples.length} samples, but the model takes windows of ${contract.window}.`);
  return samples;
}
