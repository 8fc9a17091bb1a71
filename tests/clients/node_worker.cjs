// Runs beside the installed client: calls it as it is told, a JSON line for each call. See onlinesimru_worker.py.
const { createInterface } = require("node:readline");
const { createRequire } = require("node:module");

const [, , folder, base, key, oauth] = process.argv;
const Driver = createRequire(folder + "/")("onlinesim-js-api");
const driver = new Driver(oauth ? null : key).setBase(base + "/api/");
if (oauth) driver.setOauth(key);

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    let answer;
    try {
      const service = driver[call.service]();
      answer = { result: (await service[call.method](...call.arguments)) ?? null };
    } catch (error) {
      answer = { raised: [error.constructor.name, String(error.message)] };
    }
    console.log(JSON.stringify(answer));
  }
}

main();
