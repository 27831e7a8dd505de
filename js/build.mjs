// Builds the one bundle: node build.mjs [--out FILE]
// Its first line carries the hash of what it was made of, which a plain pytest checks without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

/** sha256 over name, a zero byte, contents, a zero byte of each source, in order of names. */
function sourceHash() {
  const names = readdirSync(join(here, "src"), { recursive: true })
    .map((name) => `src/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".ts"))
    .concat("build.mjs", "package.json", "tsconfig.json")
    .sort();
  const hash = createHash("sha256");
  for (const name of names) {
    hash.update(name).update("\0").update(readFileSync(join(here, name))).update("\0");
  }
  return hash.digest("hex");
}

const at = process.argv.indexOf("--out");
const out = at > 0 ? process.argv[at + 1] : join(here, "../dify_notebook/live/static/live.js");
const result = await build({
  entryPoints: [join(here, "src/index.ts")],
  absWorkingDir: here,
  bundle: true,
  charset: "utf8",
  format: "esm",
  legalComments: "none",
  minify: true,
  target: "es2022",
  write: false,
});
const head = `/* dify_notebook live view; generated from js/ (sha256 of sources: ${sourceHash()}) */\n`;
const text = head + result.outputFiles[0].text;
writeFileSync(out, text);
console.log(`${out}: ${Buffer.byteLength(text)} bytes`);
