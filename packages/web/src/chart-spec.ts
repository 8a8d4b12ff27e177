import type { ThemeColor } from './palette.ts';

/** One bar or one segment of a stacked bar. */
export interface Bar {
  /** Row that it stands in. */
  row: number;
  from: number;
  to: number;
  color: ThemeColor;
  /** Written inside when there is room. */
  inside: string;
  /** Written after the end of the bar; empty for none. */
  after: string;
  /** Lines of the tooltip; the first is its title. */
  tip: readonly string[];
}

/** A connection between two bars: the packet waited or travelled. */
export interface Connection {
  fromRow: number;
  fromX: number;
  toRow: number;
  toX: number;
  /** Written on it; empty for none. */
  label: string;
}

/** A horizontal bar chart as plain data; `page/client.js` draws it with Chart.js. */
export interface ChartSpec {
  id: string;
  title: string;
  /** One line under the title. */
  caption: string;
  /** What a screen reader says in place of the picture, and what stands there without script. */
  summary: string;
  rows: readonly string[];
  /** Rows above which a line is drawn. */
  separators: readonly number[];
  bars: readonly Bar[];
  connections: readonly Connection[];
  /** End of the axis. */
  max: number;
  /** Marks of the axis; empty: none are drawn. */
  ticks: readonly { at: number; label: string }[];
  rowHeightPx: number;
}

/** Marks at round values from 0 to at least `max`, about `wanted` of them, and the end of the axis. */
export function roundTicks(
  max: number,
  wanted: number,
  label: (value: number) => string,
): { max: number; ticks: { at: number; label: string }[] } {
  const top = max > 0 ? max : 1;
  const power = 10 ** Math.floor(Math.log10(top / wanted));
  const step = power * ([1, 2, 5, 10].find((factor) => (factor * power * wanted) / top >= 1) ?? 10);
  const count = Math.ceil(top / step - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, i) => ({ at: i * step, label: label(i * step) }));
  return { max: count * step, ticks };
}
