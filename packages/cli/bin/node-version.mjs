const REQUIRED_MAJOR = 24;

/**
 * What is wrong with a Node version, in one line with the mend; null when it will do.
 * Plain JavaScript without any import: it must run on the versions that it refuses.
 */
export function nodeVersionFault(version) {
  const major = Number.parseInt(version, 10);
  if (major >= REQUIRED_MAJOR) {
    return null;
  }
  return (
    `needs Node ${REQUIRED_MAJOR} or newer and this is ${version}; ` +
    'in the workspace run "npx vhostlab", which brings its own Node 24 after npm ci'
  );
}
