import { migrate } from '../../src/platform/postgres/migrate.ts';
import { silentLogger } from './cluster.ts';

const [ownerUrl, directory] = process.argv.slice(2);
const applied = await migrate({
  ownerUrl: ownerUrl!,
  appRole: 'latchkey_app',
  directory: directory!,
  logger: silentLogger,
});
process.stdout.write(JSON.stringify(applied));
