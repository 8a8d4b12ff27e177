import { create, toBinary, vhostV1 } from '@vhostlab/contracts';
import {
  decodeUpcall,
  encodeActions,
  encodeUpcallReply,
  KEY_WORDS,
  STATUS_OK,
  W_IN_PORT,
} from '@vhostlab/datapath';
import type { CoreContext, CoreModule, Procedure } from '@vhostlab/engine';

/** Sends one vhost request and waits for its answer. */
export function* ask(
  context: CoreContext,
  end: string,
  request: NonNullable<Parameters<typeof create<typeof vhostV1.VhostRequestSchema>>[1]>['request'],
): Procedure<{ status: number; bytes: Uint8Array }> {
  const message = create(vhostV1.VhostRequestSchema, request === undefined ? {} : { request });
  const ticket = yield context.control(end).request(1, toBinary(vhostV1.VhostRequestSchema, message));
  return { status: ticket.value, bytes: ticket.bytes };
}

/** Maps guest memory into the function's domain, page by page where holes are wanted. */
export const vfioModule: CoreModule = {
  create(context: CoreContext, config: { guest: number; maps: { iova: number; bytes: number }[] }): void {
    context.spawn('vfio', mapAll(context, config));
  },
};

function* mapAll(
  context: CoreContext,
  config: { guest: number; maps: { iova: number; bytes: number }[] },
): Procedure {
  for (const { iova, bytes } of config.maps) {
    const answer = yield* ask(context, 'nic', {
      case: 'dmaMap',
      value: {
        iova: BigInt(iova),
        sizeBytes: BigInt(bytes),
        access: vhostV1.Access.READ_WRITE,
        window: `guest${config.guest}`,
        windowOffset: BigInt(iova),
        pageBytes: 4096n,
      },
    });
    context.counter('map.refused').value += answer.status === 0 ? 0 : 1;
  }
}

/** Stands for the VMM of a vDPA guest: rings are set up by requests, the test driver starts by itself. */
export const vmmModule: CoreModule = {
  create(context: CoreContext, config: VmmConfig): void {
    context.spawn('vmm', setUp(context, config));
  },
};

/** What the VMM does and when; addresses are those of `guest-core.ts`. */
export interface VmmConfig {
  guest: number;
  bytes: number;
  features: string;
  rings: { index: number; num: number; desc: number; driver: number; device: number; base: number }[];
  /** Suspend and resume at these moments. */
  pauses: { fromPs: number; toPs: number }[];
}

function* setUp(context: CoreContext, config: VmmConfig): Procedure {
  const statuses: number[] = [];
  const bases: number[][] = [];
  context.onCollect('vmm', () => ({ statuses, bases }));
  const say = function* (request: Parameters<typeof ask>[2]): Procedure<Uint8Array> {
    const { status, bytes } = yield* ask(context, 'nic', request);
    statuses.push(status);
    return bytes;
  };
  yield* say({ case: 'setOwner', value: {} });
  yield* say({ case: 'setStatus', value: { status: 3 } });
  yield* say({ case: 'setFeatures', value: { features: { bits: BigInt(config.features) } } });
  yield* say({ case: 'setStatus', value: { status: 11 } });
  const region = {
    guestPhysAddr: 0n,
    sizeBytes: BigInt(config.bytes),
    userAddr: 0x7f00_0000_0000n,
    window: `guest${config.guest}`,
    windowOffset: 0n,
    pageBytes: 4096n,
  };
  yield* say({ case: 'setMemTable', value: { regions: [region] } });
  const access = vhostV1.Access.READ_WRITE;
  const update = { iova: 0n, sizeBytes: BigInt(config.bytes), userAddr: region.userAddr, access };
  yield* say({ case: 'iotlbUpdate', value: update });
  for (const ring of config.rings) {
    yield* say({
      case: 'setVring',
      value: {
        index: ring.index,
        num: ring.num,
        descriptorAddr: BigInt(ring.desc),
        driverAddr: BigInt(ring.driver),
        deviceAddr: BigInt(ring.device),
        base: ring.base,
        kick: true,
        call: true,
        kickVector: ring.index & 1,
        callVector: ring.index & 1,
        enable: true,
      },
    });
  }
  yield* say({ case: 'setStatus', value: { status: 15 } });
  for (const { fromPs, toPs } of config.pauses) {
    yield context.delay(fromPs);
    yield* say({ case: 'suspend', value: {} });
    yield context.delay(toPs);
    yield* say({ case: 'resume', value: {} });
  }
}

/** A switch service that knows one output port per input port. */
export const handlerModule: CoreModule = {
  create(context: CoreContext, config: HandlerConfig): void {
    const upcalls = context.counter('upcalls');
    context.control('upcall').onRequest((_method, body, reply) => {
      const upcall = decodeUpcall(body);
      if (upcall === undefined) throw new Error('the NIC sent a malformed upcall');
      upcalls.value++;
      const actions = config.actions[String(upcall.key[W_IN_PORT])] ?? [];
      const program = encodeActions(actions);
      const mask = new Uint32Array(KEY_WORDS);
      mask[W_IN_PORT] = 0xffffffff;
      if (config.exact) mask.fill(0xffffffff);
      reply(STATUS_OK, encodeUpcallReply({ program, put: { key: upcall.key, mask, program } }));
    });
    context.addTask({ name: 'handler', run: () => 1 });
  },
};

/** Actions by input port; `exact`: one flow per key. */
export interface HandlerConfig {
  actions: Record<string, Parameters<typeof encodeActions>[0]>;
  exact: boolean;
}
