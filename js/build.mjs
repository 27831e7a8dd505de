// Builds the bundles: node build.mjs [--dir DIRECTORY]
// The first line of each carries the hash of what it was made of, which a plain pytest checks without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { strToU8, zlibSync } from "fflate";

const here = dirname(fileURLToPath(import.meta.url));

/** What each bundle is made of: an entry, and which files under src/ count for its hash. */
const BUNDLES = [
  { name: "live view", entry: "src/index.ts", out: "live/static/live.js", mine: (path) => !path.startsWith("src/panel/") },
  { name: "chat panel", entry: "src/panel/index.tsx", out: "panel/static/panel.js", mine: () => true },
];

/** sha256 over name, a zero byte, contents, a zero byte of each source, in order of names. */
function sourceHash(mine) {
  const names = readdirSync(join(here, "src"), { recursive: true })
    .map((name) => `src/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.(ts|tsx|css)$/.test(name) && mine(name))
    .concat("build.mjs", "package.json", "tsconfig.json")
    .sort();
  const hash = createHash("sha256");
  for (const name of names) {
    hash.update(name).update("\0").update(readFileSync(join(here, name))).update("\0");
  }
  return hash.digest("hex");
}

/**
 * A style sheet becomes a text that goes into a shadow root, not into the page. Deflated and in base64 it takes a third;
 * the bundle travels once for each panel. (Not by node:zlib, whose bytes differ between machines.)
 */
const styles = {
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true, target: "es2022" });
      return { contents: Buffer.from(zlibSync(strToU8(code.trim()), { level: 9 })).toString("base64"), loader: "text" };
    });
  },
};

const at = process.argv.indexOf("--dir");
const root = at > 0 ? process.argv[at + 1] : join(here, "../dify_notebook");
for (const { name, entry, out, mine } of BUNDLES) {
  const result = await build({
    entryPoints: [join(here, entry)],
    absWorkingDir: here,
    bundle: true,
    charset: "utf8",
    format: "esm",
    legalComments: "none",
    minify: true,
    plugins: [styles],
    target: "es2022",
    write: false,
  });
  const head = `/* dify_notebook ${name}; generated from js/ (sha256 of sources: ${sourceHash(mine)}) */\n`;
  const text = head + result.outputFiles[0].text;
  const path = join(root, out);
  writeFileSync(path, text);
  console.log(`${path}: ${Buffer.byteLength(text)} bytes`);
}
// Preact's licence asks that its notice goes where its code goes.
const notice = readFileSync(join(here, "node_modules/preact/LICENSE"), "utf8");
writeFileSync(join(root, "panel/static/panel.js.LICENSE.txt"), `panel.js contains Preact, under this licence:\n\n${notice}`);
