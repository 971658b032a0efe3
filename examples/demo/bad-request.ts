/** An error that is the client's, with the properties that Express reads; the message is shown. */
export function badRequest(message: string, status = 400): Error {
  return Object.assign(new Error(message), { status, expose: true });
}
