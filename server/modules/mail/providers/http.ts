import { SendError } from './provider.ts';

/** Errors of connecting: nothing was sent. */
const BEFORE_THE_REQUEST = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Posts a mail. An answer of 4xx refuses it, but for those that say nothing of the mail: 408, 429, and 401 and 403 of a wrong key.
 *
 * @throws SendError
 */
export async function post(url: string, init: RequestInit): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, method: 'POST', redirect: 'error' });
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } };
    const code = cause?.code ?? '';
    throw new SendError(`${message}${code && `: ${code}`}`, { unclear: !BEFORE_THE_REQUEST.has(code) });
  }
  // The body may repeat the mail.
  await response.body?.cancel();
  const { status } = response;
  if (status < 300) return;
  const permanent = status < 500 && ![401, 403, 408, 429].includes(status);
  throw new SendError(`answered ${status}`, { permanent });
}
