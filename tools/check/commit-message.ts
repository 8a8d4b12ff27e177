/** Longest subject of a commit that every list of commits shows whole. */
export const SUBJECT_LIMIT = 72;

/** What is wrong with a commit message: an empty or long subject, a full stop at its end, a body without a blank line. */
export function messageErrors(message: string): string[] {
  const [subject = '', second = ''] = message.split('\n');
  const errors: string[] = [];
  if (subject.trim() === '') {
    errors.push('the subject is empty');
  }
  if (subject.length > SUBJECT_LIMIT) {
    errors.push(`the subject has ${subject.length} characters, ${SUBJECT_LIMIT} is the limit: "${subject}"`);
  }
  if (subject.endsWith('.')) {
    errors.push('the subject ends with a full stop');
  }
  if (second.trim() !== '') {
    errors.push('the second line is not blank');
  }
  return errors;
}
