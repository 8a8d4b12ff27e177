/** Back-end plugins that this program hosts, named for what they are on the real clock. */
export const PLUGIN_NAMES = ['vhost-user', 'user-interrupt', 'sw-vdpa'] as const;
export type PluginName = (typeof PLUGIN_NAMES)[number];

/** A plugin that is no part of this program: plain data, from which each thread makes it. */
export type ExternalPlugin = { readonly options: Record<string, unknown> } & (
  | { readonly depth: 'device'; readonly module: string }
  | {
      readonly depth: 'burst';
      readonly name: string;
      readonly summary: string;
      readonly version: string;
      /** Where it listens. */
      readonly address: string;
    }
);

/** A plugin and the bridge behind it: plain data. */
export interface PluginSpec {
  /**
   * `vhost-user`: a polling core copies between rings and the user-space datapath. `user-interrupt`: a copying worker per
   * queue pair that sleeps until it is kicked, split rings only. `sw-vdpa`: the model of a NIC with a virtio function
   * per guest and an embedded switch, in software; what its hardware takes at least, it takes here.
   */
  readonly plugin: PluginName;
  /**
   * Flows of the bridge, each a line in the form of ovs-ofctl; ports are `guest0`, `guest1`, … in the order of the
   * sockets. None: a learning switch.
   */
  readonly flows: readonly string[];
  /** Checksum offload between guest and bridge. */
  readonly csum: boolean;
  /** Segmentation offload: frames of 64 KiB go from guest to guest. Needs `csum`. */
  readonly tso: boolean;
  /** In place of `plugin`, which then is the back end that it attaches as. */
  readonly external?: ExternalPlugin;
}

export const DEFAULT_PLUGIN_SPEC: PluginSpec = { plugin: 'vhost-user', flows: [], csum: true, tso: false };
