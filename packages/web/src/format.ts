const INTEGER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Three significant digits, no exponent: 0.0123, 8.10, 12.3, 1,240. */
export function figure(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1000) return INTEGER.format(value);
  if (size < 0.001) return value < 0 ? '> -0.001' : '< 0.001';
  const digits = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return value.toFixed(digits);
}

/** A round value beside an axis: no zeros after the point. */
export function axisFigure(value: number): string {
  return value >= 1000 ? INTEGER.format(value) : String(Number(value.toPrecision(3)));
}

/** A count of things, with thousands separators. */
export function count(value: number): string {
  return INTEGER.format(value);
}

/** A time in the unit that fits: ns, µs or ms. */
export function duration(ns: number): string {
  if (ns >= 1e6) return `${figure(ns / 1e6)} ms`;
  if (ns >= 1e3) return `${figure(ns / 1e3)} µs`;
  return `${figure(ns)} ns`;
}
