/** A colour in both themes. */
export interface ThemeColor {
  light: string;
  dark: string;
}

const BACKEND_COLORS: Readonly<Record<string, ThemeColor>> = {
  'vhost-net': { light: '#c2570c', dark: '#f0883e' },
  'vhost-user': { light: '#1d5fd0', dark: '#6ea8fe' },
  vfio: { light: '#0f8a72', dark: '#3fcfae' },
  vdpa: { light: '#8a3fc4', dark: '#c08cf5' },
};
const OTHER_BACKEND: ThemeColor = { light: '#5b6472', dark: '#9aa4b2' };

/** The colour of a back end, the same in every chart. */
export function backendColor(backend: string): ThemeColor {
  return BACKEND_COLORS[backend] ?? OTHER_BACKEND;
}

/** A group of stages that share a hue, by the first part of their names. */
export interface StageFamily {
  name: string;
  title: string;
  hue: number;
  saturation: number;
}

const FAMILIES: readonly (StageFamily & { prefixes: readonly string[] })[] = [
  { name: 'guest', title: 'guest driver and stack', hue: 213, saturation: 72, prefixes: ['guest'] },
  { name: 'kvm', title: 'KVM exits and interrupts', hue: 352, saturation: 68, prefixes: ['kvm'] },
  { name: 'vhost', title: 'vhost', hue: 26, saturation: 84, prefixes: ['vhost', 'vdpa'] },
  { name: 'tap', title: 'tap and softirq', hue: 46, saturation: 82, prefixes: ['tap', 'softirq'] },
  { name: 'switch', title: 'switch', hue: 270, saturation: 54, prefixes: ['switch', 'representor'] },
  { name: 'nic', title: 'NIC and DMA', hue: 168, saturation: 62, prefixes: ['nic'] },
  { name: 'wire', title: 'wire', hue: 200, saturation: 34, prefixes: ['wire'] },
];
const OTHER_FAMILY: StageFamily = { name: 'other', title: 'idle polls and others', hue: 215, saturation: 8 };

const LIGHT_STEPS = [46, 58, 70, 52, 64, 76];
const DARK_STEPS = [50, 61, 72, 44, 66, 56];

/** The family of a stage. */
export function stageFamily(stage: string): StageFamily {
  const prefix = stage.split('.')[0];
  return FAMILIES.find(({ prefixes }) => prefixes.includes(prefix)) ?? OTHER_FAMILY;
}

/** Colours of stages: hue by family, lightness by first mention, the same on the whole page. */
export class StagePalette {
  readonly #colors = new Map<string, ThemeColor>();
  readonly #families = new Map<StageFamily, number>();

  color(stage: string): ThemeColor {
    let color = this.#colors.get(stage);
    if (color === undefined) {
      const family = stageFamily(stage);
      const shade = this.#families.get(family) ?? 0;
      this.#families.set(family, shade + 1);
      color = shadeOf(family, shade);
      this.#colors.set(stage, color);
    }
    return color;
  }

  /** Families that were mentioned, in the order of a packet's way, with their strongest colour. */
  families(): { family: StageFamily; color: ThemeColor }[] {
    return [...FAMILIES, OTHER_FAMILY]
      .filter((family) => this.#families.has(family))
      .map((family) => ({ family, color: shadeOf(family, 0) }));
  }
}

function shadeOf({ hue, saturation }: StageFamily, shade: number): ThemeColor {
  const step = shade % LIGHT_STEPS.length;
  return {
    light: hslToHex(hue, saturation, LIGHT_STEPS[step]),
    dark: hslToHex(hue, saturation, DARK_STEPS[step]),
  };
}

function hslToHex(hue: number, saturation: number, lightness: number): string {
  const l = lightness / 100;
  const a = (saturation / 100) * Math.min(l, 1 - l);
  const channel = (n: number): string => {
    const k = (n + hue / 30) % 12;
    const value = l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
