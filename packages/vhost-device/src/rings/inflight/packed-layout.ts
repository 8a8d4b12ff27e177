/**
 * struct QueueRegionPacked: u64 features, u16 version, u16 desc_num, u16 free_head, u16 old_free_head, u16 used_idx,
 * u16 old_used_idx, u8 used_wrap_counter, u8 old_used_wrap_counter, 7 bytes, entries, which are 8-aligned.
 */
export const FREE_HEAD_BYTES = 12;
export const OLD_FREE_HEAD_BYTES = 14;
export const USED_IDX_BYTES = 16;
export const OLD_USED_IDX_BYTES = 18;
export const USED_WRAP_BYTES = 20;
export const OLD_USED_WRAP_BYTES = 21;
export const HEADER_BYTES = 32;
/** struct DescStatePacked: u8 inflight, u8, u16 next, last, num, u64 counter, u16 id, u16 flags, u32 len, u64 addr. */
export const ENTRY_BYTES = 32;
export const NEXT_BYTES = 2;
export const LAST_BYTES = 4;
export const NUM_BYTES = 6;
export const COUNTER_BYTES = 8;
export const ID_BYTES = 16;
export const FLAGS_BYTES = 18;
export const LEN_BYTES = 20;
export const ADDR_BYTES = 24;
