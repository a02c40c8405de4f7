/** Generated files are what their generators would write. */
import { report } from '../check-files.ts';
import { staleFiles } from '../generate-config-docs.ts';

report(staleFiles().map((path) => `${path} is not current. Run \`npm run docs\`.`));
