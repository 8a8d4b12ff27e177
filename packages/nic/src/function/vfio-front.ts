import type { ControlEnd } from '@vhostlab/engine';
import type { Nic } from '../nic.ts';
import { type DmaMapper, EOPNOTSUPP } from './dma-mapper.ts';
import { serveVhost } from './vhost-service.ts';

/** The host's VFIO driver for one function: it maps the guest's memory for DMA, and nothing else. */
export function serveVfio(nic: Nic, control: ControlEnd, mapper: DmaMapper): void {
  serveVhost(control, (request) => {
    const { recorder, stages } = nic;
    switch (request.case) {
      case 'dmaMap': {
        const { iova, sizeBytes } = request.value;
        recorder.note(stages.setup, 'VFIO_IOMMU_MAP_DMA', Number(iova), Number(sizeBytes));
        return mapper.map(request.value) ?? {};
      }
      case 'dmaUnmap': {
        const { iova, sizeBytes } = request.value;
        recorder.note(stages.setup, 'VFIO_IOMMU_UNMAP_DMA', Number(iova), Number(sizeBytes));
        return mapper.unmap(request.value) ?? {};
      }
      case 'setMemTable':
        return mapper.setMemTable(request.value) ?? {};
      default:
        return { error: EOPNOTSUPP, reason: `VFIO has no request ${request.case ?? 'of this kind'}.` };
    }
  });
}
