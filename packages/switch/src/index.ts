export * from './bridge.ts';
export { switchDefinition, switchModules } from './definition.ts';
export * from './handler.ts';
export type { TrackedFlow } from './megaflow-store.ts';
export type { FlowAction } from './pipeline/actions.ts';
export * from './pipeline/flow-tables.ts';
export { formatDatapathActions } from './pipeline/format-actions.ts';
export { formatMegaflow } from './pipeline/format-megaflow.ts';
export * from './pipeline/mac-table.ts';
export { type PortNames, parseFlow, parseFlows, parseMatch } from './pipeline/parse-flow.ts';
export { FlowSyntaxError } from './pipeline/parse-values.ts';
export * from './pipeline/translate.ts';
export type { BitReason } from './pipeline/wildcards.ts';
export {
  addToMatch,
  anyMatch,
  FIELDS,
  type FieldName,
  flowOfKey,
  keyOfFlow,
  type Match,
  registerField,
} from './pipeline/words.ts';
export { planSwitch } from './plan.ts';
