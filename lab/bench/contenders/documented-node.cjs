/** A Node that puts heads together in another way than the one that platform/http/quick-response.ts leans on (see there). */
const { ServerResponse } = require('node:http');

const storeHeader = ServerResponse.prototype._storeHeader;
ServerResponse.prototype._storeHeader = function (firstLine, headers) {
  return storeHeader.call(this, firstLine.slice(0, firstLine.indexOf('\n') + 1), headers);
};
