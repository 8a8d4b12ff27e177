export { type Decoded, decode, describeLayout, dump } from './decode.ts';
export {
  defineLayout,
  type Fields,
  type Layout,
  type LayoutInfo,
  type LayoutOptions,
} from './define-layout.ts';
export { be16, be32, be64, bytes, type Field, type FieldKind, pad, u8, u16, u32, u64 } from './field.ts';
