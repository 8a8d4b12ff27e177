import { isSeq, parseDocument, YAMLSeq } from 'yaml';
import type { LabFileEvent } from './lab-event.ts';

/** The text of a lab file with one more event at its end; comments and order stay. The text is one that was read. */
export function withEvent(text: string, event: LabFileEvent): string {
  const document = parseDocument(text);
  const node = document.createNode(event, { flow: true });
  if (isSeq(document.get('events'))) document.addIn(['events'], node);
  else {
    const list = new YAMLSeq();
    list.add(node);
    document.set('events', list);
  }
  return document.toString({ lineWidth: 0 });
}
