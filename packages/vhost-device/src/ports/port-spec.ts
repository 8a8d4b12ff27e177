import type { LinkPairShared } from '../link/link-messages.ts';
import { type ExternalPlugin, PLUGIN_NAMES, type PluginName } from '../plugin/plugin-spec.ts';

/** What stands behind a queue pair, as `--port` says it: plain data that travels to a worker. */
export type PortSpec =
  | { readonly kind: 'drop' }
  | { readonly kind: 'echo' }
  | { readonly kind: 'macswap' }
  | { readonly kind: 'generate'; readonly size: string; readonly rate: string }
  | { readonly kind: 'pcap'; readonly out?: string; readonly in?: string; readonly rate?: string }
  | { readonly kind: 'tap'; readonly name: string }
  /** A link to another process; `open` is what the back end has made for it. */
  | {
      readonly kind: 'link';
      readonly how: 'dial' | 'listen';
      readonly address: string;
      readonly open?: { readonly pairs: readonly LinkPairShared[]; readonly statistics: SharedArrayBuffer };
    }
  /** The project's own switch between all devices of the process; without a plugin, the mode of the back end chooses. */
  | {
      readonly kind: 'switch';
      readonly tso: boolean;
      readonly plugin?: PluginName;
      /** A plugin of somebody else in front, which decides where frames go. */
      readonly external?: ExternalPlugin;
    };

/** Forms of `--port`, for help and errors. */
export const PORT_FORMS = [
  'drop',
  'echo',
  'macswap',
  'generate[:size=64,rate=unpaced]',
  'pcap:FILE',
  'pcap:out=FILE,in=FILE,rate=1Mpps',
  'tap:NAME',
  'link:HOST:PORT',
  'link:listen=HOST:PORT',
  'switch[:plugin=sw-vdpa,tso=on]',
] as const;

const KEYS: Readonly<Record<string, readonly string[]>> = {
  generate: ['size', 'rate'],
  pcap: ['out', 'in', 'rate'],
  switch: ['plugin', 'tso'],
};

/** Reads `--port`. Throws a RangeError, one sentence that says which forms there are. */
export function parsePortSpec(text: string): PortSpec {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const rest = colon < 0 ? '' : text.slice(colon + 1);
  switch (kind) {
    case 'drop':
    case 'echo':
    case 'macswap':
      if (rest === '') return { kind };
      break;
    case 'generate': {
      const { size = '64', rate = 'unpaced' } = settings(kind, rest);
      return { kind, size, rate };
    }
    case 'pcap': {
      if (rest === '') break;
      return { kind, ...(rest.includes('=') ? settings(kind, rest) : { out: rest }) };
    }
    case 'switch': {
      const { tso = 'off', plugin } = settings(kind, rest);
      const name = PLUGIN_NAMES.find((known) => known === plugin);
      if ((tso !== 'on' && tso !== 'off') || name !== plugin) break;
      return { kind, tso: tso === 'on', ...(name === undefined ? {} : { plugin: name }) };
    }
    case 'link': {
      const listen = rest.startsWith('listen=');
      const address = listen ? rest.slice('listen='.length) : rest;
      if (address !== '') return { kind, how: listen ? 'listen' : 'dial', address };
      break;
    }
    case 'tap':
      if (rest !== '') return { kind, name: rest };
      break;
    default:
  }
  throw new RangeError(`--port ${text} is not understood: use ${PORT_FORMS.join(', ')}`);
}

function settings(kind: string, text: string): Record<string, string> {
  const known = KEYS[kind] ?? [];
  const found: Record<string, string> = {};
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const equals = part.indexOf('=');
    const key = part.slice(0, equals);
    if (equals < 0 || !known.includes(key)) {
      throw new RangeError(
        `--port ${kind}: "${part}" is not one of ${known.map((name) => `${name}=…`).join(', ')}`,
      );
    }
    found[key] = part.slice(equals + 1);
  }
  return found;
}
