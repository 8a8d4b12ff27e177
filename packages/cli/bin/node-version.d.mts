/** What is wrong with a Node version (`process.versions.node`), in one line with the mend; null when it will do. */
export function nodeVersionFault(version: string): string | null;
