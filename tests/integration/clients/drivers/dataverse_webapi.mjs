// dataverse-webapi: what its README lists, by its entry for Node.js, one operation each.

import https from "node:https";
import { failure, ground, holds, library, newId, operation, run, same } from "./steps.mjs";

// The library knows no port but 443: it leaves out the one that an address has.
https.globalAgent.defaultPort = Number(new URL(ground.url).port);
const api = await library("dataverse-webapi/lib/node.js");

const FORMATTED = "OData.Community.Display.V1.FormattedValue";
const REFERENCE = "Microsoft.Dynamics.CRM.lookuplogicalname";

// The constructor takes the first "//" away, which leaves "https:/": URLs of Node.js forgive it, OData's ids do not.
function config() {
    const made = new api.WebApiConfig("9.2", ground.token, ground.url);
    made.url = `${ground.url}/api/data/v9.2`;
    return made;
}
const at = config();
const account = (columns) => api.create(at, "accounts", { name: "Made", ...columns });
const nameOf = async (id) => (await api.retrieve(at, "accounts", id, "$select=name")).name;
const seeded = "$filter=jobtitle eq 'Seeded'&$select=lastname&$orderby=lastname".replaceAll(" ", "%20");
const lastNames = (found) => found.value.map((row) => row.lastname);

operation("a config as the README makes it works", async () => {
    const own = new api.WebApiConfig("9.2", ground.token, ground.url);
    same((await api.retrieve(own, "accounts", ground.account, "$select=name")).name, "Seed Ltd");
});

operation("a row is read", async () => {
    const row = await api.retrieve(at, "accounts", `{${ground.account}}`, "$select=name,_primarycontactid_value");
    same([row.name, row[`_primarycontactid_value@${FORMATTED}`]], ["Seed Ltd", "Ada Adams"]);
    same(row[`_primarycontactid_value@${REFERENCE}`], "contact");
});

operation("a row is read with what it leads to", async () => {
    const row = await api.retrieve(at, "accounts", ground.account, "$select=name&$expand=primarycontactid($select=lastname)");
    same(row.primarycontactid.lastname, "Adams");
});

operation("a row is read by alternate key", async () => {
    same((await api.retrieveAlternateKey(at, "accounts", "accountnumber='SEED'", "$select=name")).name, "Seed Ltd");
});

operation("a missing row is told with its code", async () => {
    same((await failure(() => api.retrieve(at, "accounts", newId()))).code, "0x80040217");
});

operation("rows are read", async () => {
    same(lastNames(await api.retrieveMultiple(at, "contacts", seeded)), ["Adams", "Baker", "Clark"]);
});

operation("rows are read page by page", async () => {
    const first = await api.retrieveMultiple(at, "contacts", seeded, { maxPageSize: 2 });
    same(lastNames(first), ["Adams", "Baker"]);
    const second = await api.retrieveMultipleNextPage(config(), first["@odata.nextLink"], { maxPageSize: 2 });
    same(lastNames(second), ["Clark"]);
});

operation("rows are counted", async () => {
    same((await api.retrieveMultiple(at, "contacts", `${seeded}&$count=true`))["@odata.count"], 3);
});

operation("rows are read by FetchXML", async () => {
    const xml = `<fetch><entity name="contact"><attribute name="lastname"/><order attribute="lastname"/>
        <filter><condition attribute="jobtitle" operator="eq" value="Seeded"/></filter></entity></fetch>`;
    same(lastNames(await api.retrieveMultiple(at, "contacts", `fetchXml=${encodeURIComponent(xml)}`)), ["Adams", "Baker", "Clark"]);
});

operation("a row is created", async () => {
    const id = await api.create(at, "accounts", { name: "Created" });
    same(await nameOf(id), "Created");
});

operation("a row is created with the rows that refer to it", async () => {
    const people = [{ lastname: "Deep 1" }, { lastname: "Deep 2" }];
    const id = await api.create(at, "accounts", { name: "Deep", contact_customer_accounts: people, primarycontactid: { lastname: "Deep 3" } });
    const row = await api.retrieve(at, "accounts", id, "$expand=contact_customer_accounts($select=lastname),primarycontactid($select=lastname)");
    same(row.contact_customer_accounts.map((one) => one.lastname).sort(), ["Deep 1", "Deep 2"]);
    same(row.primarycontactid.lastname, "Deep 3");
});

operation("a row is created and shown", async () => {
    const row = await api.createWithReturnData(at, "accounts", { name: "Shown" }, "$select=name,accountid");
    same(row.name, "Shown");
    holds(row.accountid, "no id");
});

operation("a row is updated", async () => {
    const id = await account();
    await api.update(at, "accounts", id, { name: "Updated" });
    same(await nameOf(id), "Updated");
});

operation("a row is updated and shown", async () => {
    const row = await api.updateWithReturnData(at, "accounts", await account(), { name: "Updated" }, "$select=name");
    same(row.name, "Updated");
});

operation("one column is updated", async () => {
    const id = await account();
    await api.updateProperty(at, "accounts", id, "name", "One");
    same(await nameOf(id), "One");
});

operation("a row is deleted", async () => {
    const id = await account();
    await api.deleteRecord(at, "accounts", id);
    same((await failure(() => nameOf(id))).code, "0x80040217");
});

operation("one column is emptied", async () => {
    const id = await account({ telephone1: "1" });
    await api.deleteProperty(at, "accounts", id, "telephone1");
    same((await api.retrieve(at, "accounts", id, "$select=telephone1")).telephone1, null);
});

operation("a row is added to those that refer to another, and taken away", async () => {
    const id = await account();
    const one = await api.create(at, "contacts", { lastname: "Linked" });
    await api.associate(at, "accounts", id, "contact_customer_accounts", "contacts", one);
    same((await api.retrieve(at, "contacts", one))._parentcustomerid_value, id);
    await api.disassociate(at, "accounts", id, "contact_customer_accounts", one);
    same((await api.retrieve(at, "contacts", one))._parentcustomerid_value, null);
});

operation("rows of a many-to-many relation are linked and unlinked", async () => {
    const session = await api.create(at, "msdyn_sessiontemplates", { msdyn_name: "s", msdyn_uniquename: `new_${newId().slice(0, 8)}` });
    const tab = await api.create(at, "msdyn_applicationtabtemplates", { msdyn_name: "t", msdyn_uniquename: `new_${newId().slice(0, 8)}` });
    const relation = "msdyn_sessiontemplate_applicationtab";
    const listed = async () => (await api.retrieveMultiple(at, `msdyn_sessiontemplates(${session})/${relation}`)).value.length;
    await api.associate(at, "msdyn_sessiontemplates", session, relation, "msdyn_applicationtabtemplates", tab);
    same(await listed(), 1);
    await api.disassociate(at, "msdyn_sessiontemplates", session, relation, tab);
    same(await listed(), 0);
});

operation("a lookup is emptied", async () => {
    const id = await account({ "primarycontactid@odata.bind": `/contacts(${ground.contacts[0]})` });
    await api.disassociate(at, "accounts", id, "primarycontactid");
    same((await api.retrieve(at, "accounts", id))._primarycontactid_value, null);
});

operation("an unbound function is called", async () => {
    same((await api.unboundFunction(at, "WhoAmI")).UserId, ground.user);
});

operation("an unbound function is called with inputs", async () => {
    const inputs = [{ name: "ReferencingEntityName", alias: "p1", value: "'contact'" }];
    const found = await api.unboundFunction(at, "GetValidReferencedEntities", inputs);
    holds(found.EntityNames.includes("account"), JSON.stringify(found));
});

operation("a bound function is called", async () => {
    const target = `{'@odata.id':'accounts(${ground.account})'}`;
    const inputs = [{ name: "Target", alias: "t", value: target }];
    const found = await api.boundFunction(at, "systemusers", ground.user, "RetrievePrincipalAccess", inputs);
    holds(found.AccessRights.includes("ReadAccess"), JSON.stringify(found));
});

operation("a bound action is called", async () => {
    const queue = await api.create(at, "queues", { name: "Queue" });
    const call = await api.create(at, "phonecalls", { subject: newId() });
    const inputs = { Target: { activityid: call, "@odata.type": "Microsoft.Dynamics.CRM.phonecall" } };
    holds((await api.boundAction(at, "queues", queue, "AddToQueue", inputs)).QueueItemId, "no id");
});

operation("an unbound action is called", async () => {
    const other = await account({ telephone1: "1" });
    const target = await account();
    await api.unboundAction(at, "Merge", {
        Target: { accountid: target, "@odata.type": "Microsoft.Dynamics.CRM.account" },
        Subordinate: { accountid: other, "@odata.type": "Microsoft.Dynamics.CRM.account" },
        UpdateContent: { telephone1: "1", "@odata.type": "Microsoft.Dynamics.CRM.account" },
        PerformParentingChecks: false,
    });
    same((await api.retrieve(at, "accounts", other)).statecode, 1);
});

operation("a batch writes and reads", async () => {
    const one = await account();
    const changes = [
        { method: "PATCH", queryString: `accounts(${one})`, entity: { name: "Batched" } },
        { method: "POST", queryString: "accounts", entity: { name: "Made in a batch" } },
    ];
    const answers = await api.batchOperation(at, newId(), newId(), changes, [`accounts(${one})?$select=name`]);
    same(answers.map((answer) => answer.httpStatus), [204, 204, 200]);
    holds(answers[1].entityId, "no id");
    same(answers[2].data.name, "Batched");
});

operation("a batch reads alone", async () => {
    const [answer] = await api.batchOperation(at, newId(), newId(), [], [`accounts(${ground.account})?$select=name`]);
    same(answer.data.name, "Seed Ltd");
});

operation("a batch tells its failure", async () => {
    const changes = [{ method: "POST", queryString: "accounts", entity: { name: "x".repeat(200) } }];
    same((await failure(() => api.batchOperation(at, newId(), newId(), changes, []))).code, "0x80044331");
});

operation("a batch's requests refer to one another", async () => {
    const changes = [
        { method: "POST", queryString: "accounts", entity: { name: "First" } },
        { method: "POST", queryString: "contacts", entity: { lastname: "Second", "parentcustomerid_account@odata.bind": "$1" } },
    ];
    const answers = await api.batchOperation(at, newId(), newId(), changes, []);
    const row = await api.retrieve(at, "contacts", answers[1].entityId);
    same(row._parentcustomerid_value, answers[0].entityId);
});

operation("another user is stood in for", async () => {
    const id = await api.create(at, "accounts", { name: "Theirs" }, { impersonateUserId: ground.colleague_object });
    same((await api.retrieve(at, "accounts", id))._createdby_value, ground.colleague);
});

operation("headers are added", async () => {
    const options = { customHeaders: { "If-None-Match": "*" } };
    const id = await account();
    same((await failure(() => api.update(at, "accounts", id, { name: "x" }, options))).code, "0x80040237");
});

await run((error) => error?.code?.toString() ?? "");
