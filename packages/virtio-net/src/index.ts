export {
  completeChecksum,
  pseudoHeaderSum,
  requestChecksum,
  requestSegmentation,
  transportChecksumOk,
} from './checksum-offload.ts';
export {
  CTRL_ANNOUNCE,
  CTRL_CLASS,
  CTRL_ERR,
  CTRL_GUEST_OFFLOADS,
  CTRL_HEADER_BYTES,
  CTRL_MAC,
  CTRL_MQ,
  CTRL_NOTF_COAL,
  CTRL_OK,
  CTRL_RX,
  CTRL_VLAN,
} from './control-commands.ts';
export {
  encodeAnnounceAck,
  encodeCoalescing,
  encodeGuestOffloads,
  encodeHash,
  encodeMacAddress,
  encodeMacTable,
  encodeQueueCoalescing,
  encodeQueueCoalescingGet,
  encodeQueuePairs,
  encodeRss,
  encodeRxMode,
  encodeVlan,
  type RssConfig,
} from './control-encode.ts';
export {
  type Coalescing,
  type ControlCallbacks,
  ControlQueue,
  type ControlRefusal,
} from './control-queue.ts';
export { FeatureSet } from './feature-set.ts';
export {
  FEATURES,
  type FeatureDefinition,
  type FeatureGroup,
  type FeatureName,
  featureByBit,
  featureByName,
} from './features.ts';
export {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP,
  GSO_UDP_L4,
  HDR_F_DATA_VALID,
  HDR_F_NEEDS_CSUM,
  HDR_F_RSC_INFO,
  type HeaderBytes,
  type HeaderFields,
  hasOffload,
  headerBytes,
  minimumReceiveBytes,
  NO_OFFLOAD,
  NUM_BUFFERS_OFFSET,
  readHashReport,
  readHashValue,
  readHeader,
  readNumBuffers,
  writeHash,
  writeHeader,
  writeNumBuffers,
} from './header.ts';
export {
  checkHeader,
  HEADER_CSUM_NOT_NEGOTIATED,
  HEADER_CSUM_RANGE,
  HEADER_ECN_NOT_NEGOTIATED,
  HEADER_FAULTS,
  HEADER_FRAME_LONG,
  HEADER_FRAME_SHORT,
  HEADER_GSO_NOT_NEGOTIATED,
  HEADER_GSO_SIZE,
  HEADER_GSO_TYPE,
  HEADER_GSO_WITHOUT_CSUM,
  HEADER_HDR_LEN,
  HEADER_OK,
  type HeaderRules,
  receiveRules,
  transmitRules,
} from './header-check.ts';
export { MsixTable } from './msix.ts';
export {
  type AckFault,
  checkAcknowledged,
  type DroppedFeature,
  type DropReason,
  type Negotiation,
  negotiate,
} from './negotiation.ts';
export {
  type ConfigSpace,
  NET_CONFIG,
  NET_S_ANNOUNCE,
  NET_S_LINK_UP,
  NetConfig,
  type NetConfigOptions,
} from './net-config.ts';
export type { RegisterFaults, VirtioPciCallbacks, VirtioPciOptions } from './pci-callbacks.ts';
export { PciConfigSpace } from './pci-config.ts';
export { VirtioPciDevice } from './pci-device.ts';
export { type DiscoveredLayout, discoverVirtioPci } from './pci-discovery.ts';
export {
  type DriverQueue,
  type InitFailure,
  type InitOptions,
  type InitResult,
  initVirtioPci,
  type QueueSetup,
  readDeviceConfig,
  resetDevice,
  resetQueue,
  type VirtioPciNegotiated,
} from './pci-driver.ts';
export {
  barLayout,
  CAP_COMMON,
  CAP_DEVICE,
  CAP_ISR,
  CAP_NOTIFY,
  CAP_PCI_CFG,
  COMMON_CONFIG,
  ISR_CONFIG,
  ISR_QUEUE,
  MAX_VECTORS,
  MSIX_ENTRY,
  NO_VECTOR,
  PCI_CAP,
  PCI_CAP_MSIX,
  PCI_CAP_VENDOR,
  PCI_CONFIG_BYTES,
  PCI_CONFIG_WINDOW,
  type PciBarLayout,
} from './pci-layout.ts';
export { PciQueue } from './pci-queue.ts';
export { MAC_TABLE_ENTRIES, ReceiveFilter } from './receive-filter.ts';
export { ReceiveSteering } from './receive-steering.ts';
export {
  type RegisterAccess,
  type RegisterFile,
  type RegisterProcedure,
  readRegister,
  runAccesses,
  writeRegister,
} from './register-access.ts';
export {
  type CopyMemory,
  gather,
  MERGE_NEEDS_MORE,
  MERGE_TOO_SMALL,
  type ReceiveChains,
  RxMerge,
} from './rx-merge.ts';
export {
  SEGMENT_FAULTS,
  SEGMENT_FRAGMENT,
  SEGMENT_HEADERS,
  SEGMENT_OK,
  SEGMENT_SIZE,
  SEGMENT_TYPE,
  Segmenter,
  segment,
} from './segmenter.ts';
export {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FAILED,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
  type StatusAnswer,
  StatusMachine,
  statusNames,
} from './status.ts';
