// What was deflated (zlib) and put in base64, by Python or by the build.

export function inflate(packed: string): Response {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
}
