// Judges channel files by npm ajv and a schema: lines of JSON in, for each
// "good" or what ajv says first.  usage: node judge.mjs MODULES SCHEMA
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const Ajv = require("ajv/dist/2020.js").default;
const ajv = new Ajv({ strict: true, strictTuples: false, allErrors: false,
                      allowUnionTypes: true, strictRequired: false });
const judge = ajv.compile(JSON.parse(readFileSync(process.argv[3], "utf8")));

for (const line of readFileSync(0, "utf8").split("\n")) {
  if (line === "") {
    continue;
  }
  if (judge(JSON.parse(line))) {
    console.log("good");
  } else {
    const { instancePath, message } = judge.errors[0];
    console.log(`${instancePath || "/"} ${message}`);
  }
}
