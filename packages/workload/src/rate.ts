/**
 * How fast a source sends. `pps`: frames per second. `frameBps`: frame bits with FCS per second. `wireBps`: bits
 * with preamble and gap too, so the line's speed is line rate. All whole numbers. `unpaced`: as fast as taken.
 */
export type Rate =
  | { unit: 'pps'; value: number }
  | { unit: 'frameBps'; value: number }
  | { unit: 'wireBps'; value: number }
  | { unit: 'unpaced' };

const SCALES: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/**
 * Parses `--rate`: `line`, `50%` (of the line), `10Mpps`, `1000pps`, `2.5Gbps` (frame bits with FCS) or `unpaced`.
 * Throws a RangeError that says which forms there are.
 */
export function parseRate(text: string, lineBps: number): Rate {
  const form = text.trim().toLowerCase();
  if (form === 'line') return { unit: 'wireBps', value: lineBps };
  if (form === 'unpaced') return { unit: 'unpaced' };
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(form);
  if (percent)
    return positive({ unit: 'wireBps', value: Math.round((lineBps * Number(percent[1])) / 100) }, text);
  const scaled = /^(\d+(?:\.\d+)?)\s*([kmg]?)(pps|bps|bit\/s)$/.exec(form);
  if (scaled) {
    const value = Math.round(Number(scaled[1]) * SCALES[scaled[2]]);
    return positive({ unit: scaled[3] === 'pps' ? 'pps' : 'frameBps', value }, text);
  }
  throw new RangeError(`rate "${text}" is not understood: use line, 50%, 10Mpps, 2.5Gbps or unpaced`);
}

function positive(rate: { unit: 'pps' | 'frameBps' | 'wireBps'; value: number }, text: string): Rate {
  if (rate.value < 1 || rate.value > 1e12) {
    throw new RangeError(`rate "${text}" is outside 1 per second to 10^12 per second`);
  }
  return rate;
}
