import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Clock } from '../gen/vhostlab/common/v1/common_pb.ts';
import type { InstanceConfigSchema } from '../gen/vhostlab/common/v1/plan_pb.ts';

/** Where bursts go and answers come from, at once: a plugin in this process or the bridge to another one. */
export interface BurstChannel {
  /** Id of the instance. */
  readonly id: string;
  /** Answers an encoded ExchangeRequest with an encoded ExchangeResponse. Throws PluginFault. */
  exchange(request: Uint8Array): Uint8Array;
  /** What the instance has counted. */
  statistics(): Uint8Array;
  /** Stops and destroys the instance. */
  close(): void;
}

/** What the instance of a core is made of. */
export interface BurstInstanceInit {
  readonly optionsJson: string;
  readonly clock: Clock;
  readonly seed: number;
  readonly peers?: MessageInitShape<typeof InstanceConfigSchema>['peers'];
}

/** A plugin did not keep the contract, or is gone; the message names the plugin, the call and what was wrong. */
export class PluginFault extends Error {
  override readonly name = 'PluginFault';
  readonly exitCode = 3;
}
