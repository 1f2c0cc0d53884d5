// Drives the sandbox with DynamicsWebApi; prints one JSON object with what it saw.
// Usage: node node_client.mjs <path of the library> <server URL> <token> <table>

import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";

const [library, serverUrl, token, table] = process.argv.slice(2);
const { DynamicsWebApi } = createRequire(import.meta.url)(library);

const scenarios = {
    contact: { collection: "contacts", primary: "contactid", key: "emailaddress1", value: "ada@x.example", column: "description" },
    phonecall: { collection: "phonecalls", primary: "activityid", key: "subject", value: "Call 1", column: "category" },
};
const { collection, primary, key, value, column } = scenarios[table];

const api = new DynamicsWebApi({
    serverUrl,
    dataApi: { version: "9.2" },
    onTokenRefresh: async () => token,
});

async function refusal(request) {
    try {
        return { unexpected: await request() };
    } catch (error) {
        return { status: error.status, code: error.code };
    }
}

const id = randomUUID();
const seen = {};
seen.created = (await api.create({ collection, data: { [primary]: id, [key]: value, [column]: "first" } })).toLowerCase() === id;
seen.read = (await api.retrieve({ collection, key: id, select: [key, column] }))[column];
await api.update({ collection, key: id, data: { [column]: "second" } });
const query = { collection, select: [column], filter: `${key} eq '${value}' and statecode eq 0`, count: true, maxPageSize: 1 };
const found = await api.retrieveMultiple(query);
seen.found = found.value.map((row) => row[column]);
seen.count = found.oDataCount;
await api.upsert({ collection, key: `${key}='${value}'`, data: { [column]: "third" } });
seen.upserted = (await api.retrieve({ collection, key: id, select: [column] }))[column];
seen.shown = (await api.update({ collection, key: id, data: { [column]: "fourth" }, returnRepresentation: true }))[column];
seen.stale = await api.update({ collection, key: id, data: {}, ifmatch: 'W/"1"' });
seen.tooLong = await refusal(() => api.update({ collection, key: id, data: { [column]: "x".repeat(3000) } }));

api.startBatch();
api.create({ collection, data: { [column]: "in a batch" }, contentId: "1" });
api.retrieve({ collection, key: id, select: [column] });
const batch = await api.executeBatch();
seen.batch = batch[1][column];

await api.deleteRecord({ collection, key: id });
seen.gone = await refusal(() => api.retrieve({ collection, key: id }));
seen.whoAmI = typeof (await api.callFunction("WhoAmI")).UserId;
console.log(JSON.stringify(seen));
