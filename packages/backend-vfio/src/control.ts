import { ACCESS_BOTH, askVhost } from '@vhostlab/backend-sdk';
import type { CoreContext, CoreModule, Procedure } from '@vhostlab/engine';
import type { VfioControlConfig } from './plan.ts';

/** Where the VMM has mapped guest memory: host user address of guest address 0, one tebibyte per guest. */
const USER_BASE = 0x7f00_0000_0000;
const USER_STRIDE = 0x100_0000_0000;

/**
 * Pins the guest's memory and maps it in the IOMMU, region by region (VFIO_IOMMU_MAP_DMA). All of it must be there
 * before the guest runs, since the device may be told any address. Stops at the first refusal.
 */
function* mapGuest(context: CoreContext, config: VfioControlConfig): Procedure {
  const nic = context.control('nic');
  const stage = context.stage('setup');
  const mapped = context.counter('dma.mapped_bytes');
  for (const { gpa, bytes } of config.regions) {
    const reply = yield* askVhost(nic, {
      case: 'dmaMap',
      value: {
        iova: BigInt(gpa),
        sizeBytes: BigInt(bytes),
        userAddr: BigInt(USER_BASE + config.guest * USER_STRIDE + gpa),
        access: ACCESS_BOTH,
        window: config.window,
        windowOffset: BigInt(gpa),
        pageBytes: BigInt(config.pageBytes),
      },
    });
    if (reply.error !== 0) {
      context.counter('setup.refused').value++;
      context.recorder.note(
        stage,
        `guest ${config.guest}: VFIO_IOMMU_MAP_DMA refused: ${reply.reason}`,
        gpa,
        bytes,
      );
      return;
    }
    mapped.value += bytes;
    context.recorder.note(stage, `guest ${config.guest}: memory pinned and mapped for DMA`, gpa, bytes);
  }
}

/** Core module `vfio/control`. */
export const controlModule: CoreModule = {
  create(context: CoreContext, config: VfioControlConfig): void {
    context.spawn('vfio.map', mapGuest(context, config));
  },
};
