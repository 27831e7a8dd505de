/** A style sheet, deflated and in base64. */
declare module "*.css" {
  const packed: string;
  export default packed;
}
