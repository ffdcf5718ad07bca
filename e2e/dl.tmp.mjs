import { Rollbook, admin } from '/work/main/e2e/support/rollbook.mjs';
import { execFileSync } from 'node:child_process';
const r = await Rollbook.start();
await r.cli('import', r.file('a.csv','name,phone\nA,12\n')).catch(e=>{});
const sh = (c) => { try { console.log(execFileSync('sh',['-c',c]).toString()) } catch (e) { console.log(e.stdout?.toString(), e.stderr?.toString(), e.status) } };
sh(`curl -s -c /tmp/jar -o /dev/null -w '%{http_code}' -H 'Sec-Fetch-Site: same-origin' -d 'email=${admin.email}&password=correct+horse+battery+staple&next=' ${r.url}/sign-in`);
sh(`curl -v --compressed -b /tmp/jar '${r.url}/settings/logs/export?format=csv&range=24h' 2>&1 | tail -12`);
console.log(r.log);
await r.stop();
