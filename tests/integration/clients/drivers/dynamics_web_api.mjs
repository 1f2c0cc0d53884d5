// DynamicsWebApi: the functions and the request options that its README lists, one operation each.

import { failure, ground, holds, library, newId, operation, run, same } from "./steps.mjs";

const { DynamicsWebApi } = (await library("dynamics-web-api/dist/cjs/dynamics-web-api.js")).default;

const settings = { serverUrl: ground.url, dataApi: { version: "9.2" }, onTokenRefresh: async () => ground.token };
const api = new DynamicsWebApi(settings);
const loud = new DynamicsWebApi({ ...settings, propagateErrors: true });

const FORMATTED = "OData.Community.Display.V1.FormattedValue";
const MODEL = "Microsoft.Dynamics.CRM.";
const collection = "accounts";
const account = (columns) => api.create({ collection, data: { name: "Made", ...columns } });
const read = (key, ...select) => api.retrieve({ collection, key, select });
const nameOf = async (key) => (await read(key, "name")).name;
const seeded = { collection: "contacts", select: ["lastname"], filter: "jobtitle eq 'Seeded'", orderBy: ["lastname"] };
const lastNames = (found) => found.value.map((row) => row.lastname);
const text = (words) => ({ "@odata.type": `${MODEL}Label`, LocalizedLabels: [{ "@odata.type": `${MODEL}LocalizedLabel`, Label: words, LanguageCode: 1033 }] });
const refusal = (error) => (error?.status ? `${error.status} ${error.code ?? ""}`.trim() : "");
const fetchXml = (attributes = "") => `<fetch ${attributes}><entity name="contact"><attribute name="lastname"/>
    <order attribute="lastname"/><filter><condition attribute="jobtitle" operator="eq" value="Seeded"/></filter></entity></fetch>`;

// --- rows ---

operation("create", async () => same(await nameOf(await account({ name: "Created" })), "Created"));

operation("create, shown", async () => {
    const row = await api.create({ collection, data: { name: "Shown" }, returnRepresentation: true, select: ["name"] });
    same(row.name, "Shown");
});

operation("create with the row that a lookup leads to", async () => {
    const id = await account({ primarycontactid: { lastname: "Deep" } });
    const row = await api.retrieve({ collection, key: id, expand: [{ property: "primarycontactid", select: ["lastname"] }] });
    same(row.primarycontactid.lastname, "Deep");
});

operation("create with a lookup and a GUID in braces", async () => {
    const id = await account({ "primarycontactid@odata.bind": `/contacts({${ground.contacts[0]}})` });
    same((await read(id, "_primarycontactid_value"))._primarycontactid_value, ground.contacts[0]);
});

operation("create with duplicate detection", async () => {
    const data = { lastname: "Twin", emailaddress1: `${newId()}@x.example` };
    await api.create({ collection: "leads", data });
    same(refusal(await failure(() => api.create({ collection: "leads", data, duplicateDetection: true }))), "412 0x80040333");
});

operation("create without plug-ins", async () => {
    holds(await api.create({ collection, data: { name: "Bypassed" }, bypassCustomPluginExecution: true }), "no id");
});

operation("create as another user by id", async () => {
    const id = await api.create({ collection, data: { name: "Theirs" }, impersonate: ground.colleague });
    same((await read(id, "_createdby_value"))._createdby_value, ground.colleague);
});

operation("create as another user by object id", async () => {
    const id = await api.create({ collection, data: { name: "Theirs" }, impersonateAAD: ground.colleague_object });
    same((await read(id, "_createdby_value"))._createdby_value, ground.colleague);
});

operation("retrieve", async () => {
    const row = await api.retrieve({ collection, key: ground.account, select: ["name"], includeAnnotations: "*" });
    same(row.name, "Seed Ltd");
});

operation("retrieve with labels", async () => {
    const row = await api.retrieve({ collection, key: ground.account, includeAnnotations: FORMATTED, select: ["statecode", "_primarycontactid_value"] });
    same([row.statecode_Formatted, row._primarycontactid_value_Formatted], ["Active", "Ada Adams"]);
});

operation("retrieve by alternate key", async () => same((await read("accountnumber='SEED'", "name")).name, "Seed Ltd"));

operation("retrieve with what refers to the row, filtered and sorted", async () => {
    const property = { property: "contact_customer_accounts", select: ["lastname"], filter: "lastname ne 'Baker' and jobtitle eq 'Seeded'", orderBy: ["lastname desc"], top: 5 };
    const row = await api.retrieve({ collection, key: ground.account, select: ["name"], expand: [property] });
    same(row.contact_customer_accounts.map((one) => one.lastname), ["Clark", "Adams"]);
});

operation("retrieve with an expansion in an expansion", async () => {
    const inner = [{ property: "parentcustomerid_account", select: ["name"] }];
    const row = await api.retrieve({ collection, key: ground.account, expand: [{ property: "primarycontactid", select: ["lastname"], expand: inner }] });
    same(row.primarycontactid.parentcustomerid_account.name, "Seed Ltd");
});

operation("retrieve what a lookup leads to", async () => {
    const row = await api.retrieve({ collection, key: ground.account, navigationProperty: "primarycontactid", select: ["lastname"] });
    same(row.lastname, "Adams");
});

operation("retrieve the reference of a lookup", async () => {
    const row = await api.retrieve({ collection, key: ground.account, select: ["primarycontactid/$ref"] });
    same(row.id?.toLowerCase(), ground.contacts[0]);
});

operation("retrieve if it has changed", async () => {
    const key = await account();
    const row = await read(key, "name");
    holds(!(await api.retrieve({ collection, key, select: ["name"], ifnonematch: row["@odata.etag"] })), "a row");
    await api.update({ collection, key, data: { name: "Changed" } });
    same((await api.retrieve({ collection, key, select: ["name"], ifnonematch: row["@odata.etag"] })).name, "Changed");
});

operation("update", async () => {
    const key = await account();
    same(await api.update({ collection, key, data: { name: "Updated" } }), true);
    same(await nameOf(key), "Updated");
});

operation("update, shown", async () => {
    const row = await api.update({ collection, key: await account(), data: { name: "Updated" }, returnRepresentation: true, select: ["name"] });
    same(row.name, "Updated");
});

operation("update a row that is not there", async () => {
    same(refusal(await failure(() => api.update({ collection, key: newId(), data: { name: "x" } }))), "404 0x80040217");
});

operation("update if it has not changed", async () => {
    const key = await account();
    const { "@odata.etag": etag } = await read(key, "name");
    same(await api.update({ collection, key, data: { name: "First" }, ifmatch: etag }), true);
    same(await api.update({ collection, key, data: { name: "Second" }, ifmatch: etag }), false);
    same(refusal(await failure(() => loud.update({ collection, key, data: { name: "x" }, ifmatch: etag }))), "412 0x80060882");
});

operation("updateSingleProperty", async () => {
    const key = await account();
    await api.updateSingleProperty({ collection, key, fieldValuePair: { name: "One" } });
    same(await nameOf(key), "One");
});

operation("upsert by id", async () => {
    const key = newId();
    await api.upsert({ collection, key, data: { name: "First" } });
    await api.upsert({ collection, key, data: { name: "Second" } });
    same(await nameOf(key), "Second");
});

operation("upsert by alternate key, shown", async () => {
    const request = { collection, key: "accountnumber='UP-1'", data: { name: "Keyed" }, returnRepresentation: true, select: ["name", "accountnumber"] };
    const row = await api.upsert(request);
    same([row.name, row.accountnumber], ["Keyed", "UP-1"]);
});

operation("upsert of a phone call by alternate key", async () => {
    const request = { collection: "phonecalls", key: "subject='Call 2'", select: ["category"], returnRepresentation: true };
    await api.upsert({ ...request, data: { category: "first" } });
    same((await api.upsert({ ...request, data: { category: "second" } })).category, "second");
});

operation("upsert that only creates", async () => {
    const key = await account();
    same(await api.upsert({ collection, key, data: { name: "x" }, ifnonematch: "*" }), null);
});

operation("upsert that only updates", async () => {
    same(await api.upsert({ collection, key: newId(), data: { name: "x" }, ifmatch: "*" }), null);
});

operation("deleteRecord", async () => {
    const key = await account();
    same(await api.deleteRecord({ collection, key }), true);
    same(refusal(await failure(() => read(key, "name"))), "404 0x80040217");
});

operation("deleteRecord if it has not changed", async () => {
    const key = await account();
    same(await api.deleteRecord({ collection, key, ifmatch: 'W/"1"' }), false);
});

operation("deleteRecord of one column", async () => {
    const key = await account({ telephone1: "1" });
    await api.deleteRecord({ collection, key, property: "telephone1" });
    same((await read(key, "telephone1")).telephone1, null);
});

// --- many rows ---

operation("retrieveMultiple", async () => same(lastNames(await api.retrieveMultiple({ ...seeded, top: 2 })), ["Adams", "Baker"]));

operation("retrieveMultiple, counted", async () => same((await api.retrieveMultiple({ ...seeded, count: true })).oDataCount, 3));

operation("retrieveMultiple page by page", async () => {
    const first = await api.retrieveMultiple({ ...seeded, maxPageSize: 2 });
    same(lastNames(first), ["Adams", "Baker"]);
    same(lastNames(await api.retrieveMultiple({ ...seeded, maxPageSize: 2 }, first.oDataNextLink)), ["Clark"]);
});

operation("retrieveAll", async () => same(lastNames(await api.retrieveAll({ ...seeded, maxPageSize: 2 })), ["Adams", "Baker", "Clark"]));

operation("retrieveMultiple with expansions", async () => {
    const found = await api.retrieveMultiple({ ...seeded, expand: [{ property: "parentcustomerid_account", select: ["name"] }] });
    same(found.value.map((row) => row.parentcustomerid_account.name), ["Seed Ltd", "Seed Ltd", "Seed Ltd"]);
});

operation("retrieveMultiple by what a lookup leads to", async () => {
    same(lastNames(await api.retrieveMultiple({ ...seeded, filter: `${seeded.filter} and parentcustomerid_account/name eq 'Seed Ltd'` })).length, 3);
});

operation("retrieveMultiple with a parameter", async () => {
    same(lastNames(await api.retrieveMultiple({ ...seeded, filter: "jobtitle eq @p1", queryParams: ["@p1='Seeded'"] })).length, 3);
});

operation("retrieveMultiple by a function of Dynamics", async () => {
    const filter = `${MODEL}In(PropertyName='lastname',PropertyValues=["Adams","Clark"]) and ${seeded.filter}`;
    same(lastNames(await api.retrieveMultiple({ ...seeded, filter })), ["Adams", "Clark"]);
});

operation("retrieveMultiple, grouped", async () => {
    const apply = "filter(jobtitle eq 'Seeded')/groupby((jobtitle),aggregate($count as people))";
    const { value } = await api.retrieveMultiple({ collection: "contacts", apply });
    same([value[0].jobtitle, value[0].people], ["Seeded", 3]);
});

operation("retrieveMultiple of what has changed", async () => {
    const first = await api.retrieveAll({ collection: "tasks", select: ["subject"], trackChanges: true });
    holds(first.oDataDeltaLink, "no delta link");
    await api.create({ collection: "tasks", data: { subject: "New" } });
    const second = await api.retrieveMultiple({ collection: "tasks" }, first.oDataDeltaLink);
    same(second.value.map((row) => row.subject), ["New"]);
});

operation("retrieveMultiple by a saved view", async () => {
    same(refusal(await failure(() => api.retrieveMultiple({ collection: "contacts", savedQuery: newId() }))).slice(0, 3), "404");
});

operation("retrieveMultiple with a long address", async () => {
    const filter = `jobtitle eq 'Seeded' and (${Array(120).fill("lastname ne 'somebody else'").join(" and ")})`;
    same(lastNames(await api.retrieveMultiple({ ...seeded, filter })), ["Adams", "Baker", "Clark"]);
});

operation("retrieveMultiple by table name", async () => {
    const named = new DynamicsWebApi({ ...settings, useEntityNames: true });
    same(lastNames(await named.retrieveMultiple({ ...seeded, collection: "contact" })), ["Adams", "Baker", "Clark"]);
});

operation("count", async () => {
    same(await api.count({ collection: "contacts", filter: seeded.filter }), 3);
    holds(Number(await api.count({ collection: "systemusers" })) >= 2, "too few");
});

operation("countAll", async () => same(await api.countAll({ ...seeded, select: ["contactid"] }), 3));

operation("fetch", async () => {
    same(lastNames(await api.fetch({ collection: "contacts", fetchXml: fetchXml() })), ["Adams", "Baker", "Clark"]);
});

operation("fetch page by page", async () => {
    const first = await api.fetch({ collection: "contacts", fetchXml: fetchXml('count="2"'), includeAnnotations: "*" });
    same([lastNames(first), first.PagingInfo?.nextPage], [["Adams", "Baker"], 2]);
    const { cookie, nextPage } = first.PagingInfo;
    const second = await api.fetch({ collection: "contacts", fetchXml: fetchXml('count="2"'), pageNumber: nextPage, pagingCookie: cookie });
    same(lastNames(second), ["Clark"]);
});

operation("fetchAll", async () => {
    same(lastNames(await api.fetchAll({ collection: "contacts", fetchXml: fetchXml('count="2"'), includeAnnotations: "*" })), ["Adams", "Baker", "Clark"]);
});

// --- links ---

operation("associate and disassociate", async () => {
    const key = await account();
    const one = await api.create({ collection: "contacts", data: { lastname: "Linked" } });
    const link = { collection, primaryKey: key, relationshipName: "contact_customer_accounts", relatedCollection: "contacts", relatedKey: one };
    const linked = async () => (await api.retrieve({ collection: "contacts", key: one }))._parentcustomerid_value;
    await api.associate(link);
    same(await linked(), key);
    await api.disassociate(link);
    same(await linked(), null);
});

operation("associateSingleValued and disassociateSingleValued", async () => {
    const key = await account();
    const link = { collection, primaryKey: key, navigationProperty: "primarycontactid", relatedCollection: "contacts", relatedKey: ground.contacts[0] };
    const linked = async () => (await read(key, "_primarycontactid_value"))._primarycontactid_value;
    await api.associateSingleValued(link);
    same(await linked(), ground.contacts[0]);
    await api.disassociateSingleValued(link);
    same(await linked(), null);
});

// --- functions and actions ---

operation("callFunction", async () => same((await api.callFunction("WhoAmI")).UserId, ground.user));

operation("callFunction with parameters", async () => {
    const found = await api.callFunction({ name: "GetValidReferencedEntities", parameters: { ReferencingEntityName: "contact" } });
    holds(found.EntityNames.includes("account"), JSON.stringify(found));
});

operation("callFunction of a row", async () => {
    const target = { "@odata.id": `accounts(${ground.account})` };
    const found = await api.callFunction({ collection: "systemusers", key: ground.user, name: `${MODEL}RetrievePrincipalAccess`, parameters: { Target: target } });
    holds(found.AccessRights.includes("ReadAccess"), JSON.stringify(found));
});

operation("callAction", async () => {
    const other = await account();
    const row = (accountid) => ({ accountid, "@odata.type": `${MODEL}account` });
    await api.callAction({ actionName: "Merge", action: { Target: row(await account()), Subordinate: row(other), PerformParentingChecks: false } });
    same((await read(other, "statecode")).statecode, 1);
});

operation("callAction of a row", async () => {
    const queue = await api.create({ collection: "queues", data: { name: "Queue" } });
    const call = await api.create({ collection: "phonecalls", data: { subject: newId() } });
    const action = { Target: { activityid: call, "@odata.type": `${MODEL}phonecall` } };
    const made = await api.callAction({ collection: "queues", key: queue, actionName: `${MODEL}AddToQueue`, action });
    holds(made.QueueItemId, "no id");
});

// --- metadata ---

const entity = async (extra = {}) => {
    const name = `new_j${newId().slice(0, 8)}`;
    const primary = { "@odata.type": `${MODEL}StringAttributeMetadata`, SchemaName: "new_Name", IsPrimaryName: true, MaxLength: 100, FormatName: { Value: "Text" }, DisplayName: text("Name"), RequiredLevel: { Value: "None" } };
    const data = { "@odata.type": `${MODEL}EntityMetadata`, SchemaName: name, DisplayName: text("Thing"), DisplayCollectionName: text("Things"), Description: text(""), OwnershipType: "UserOwned", HasActivities: false, HasNotes: false, IsActivity: false, Attributes: [primary], ...extra };
    return { name, id: await api.createEntity({ data }) };
};
const column = (name, length) => ({ "@odata.type": `${MODEL}StringAttributeMetadata`, SchemaName: name, MaxLength: length, FormatName: { Value: "Text" }, DisplayName: text(name), RequiredLevel: { Value: "None" } });

operation("createEntity", async () => {
    const { name } = await entity();
    const { EntitySetName } = await api.retrieveEntity({ key: `LogicalName='${name}'` });
    const id = await api.create({ collection: EntitySetName, data: { new_name: "x" } });
    same((await api.retrieve({ collection: EntitySetName, key: id, select: ["new_name"] })).new_name, "x");
});

operation("updateEntity", async () => {
    const { id } = await entity();
    const data = await api.retrieveEntity({ key: id });
    await api.updateEntity({ data: { ...data, DisplayName: text("Other") }, mergeLabels: true });
    same((await api.retrieveEntity({ key: id })).DisplayName.LocalizedLabels[0].Label, "Other");
});

operation("retrieveEntity", async () => {
    const found = await api.retrieveEntity({ key: "LogicalName='account'", select: ["LogicalName", "EntitySetName"], expand: [{ property: "Attributes", select: ["LogicalName"], filter: "LogicalName eq 'name'" }] });
    same([found.EntitySetName, found.Attributes.map((one) => one.LogicalName)], ["accounts", ["name"]]);
});

operation("retrieveEntities", async () => {
    const found = await api.retrieveEntities({ select: ["LogicalName"], filter: "LogicalName eq 'contact'" });
    same(found.value.map((one) => one.LogicalName), ["contact"]);
});

operation("createAttribute", async () => {
    const { id } = await entity();
    holds(await api.createAttribute({ entityKey: id, data: column("new_More", 20) }), "no id");
    same((await api.retrieveAttribute({ entityKey: id, attributeKey: "LogicalName='new_more'", castType: `${MODEL}StringAttributeMetadata` })).MaxLength, 20);
});

operation("updateAttribute", async () => {
    const { id } = await entity();
    await api.createAttribute({ entityKey: id, data: column("new_More", 20) });
    const key = { entityKey: id, attributeKey: "LogicalName='new_more'", castType: `${MODEL}StringAttributeMetadata` };
    const data = await api.retrieveAttribute(key);
    await api.updateAttribute({ entityKey: id, castType: key.castType, data: { ...data, MaxLength: 30 } });
    same((await api.retrieveAttribute(key)).MaxLength, 30);
});

operation("retrieveAttributes", async () => {
    const found = await api.retrieveAttributes({ entityKey: "LogicalName='account'", select: ["LogicalName"], filter: "LogicalName eq 'name'" });
    same(found.value.map((one) => one.LogicalName), ["name"]);
});

operation("retrieveAttributes of one type", async () => {
    const found = await api.retrieveAttributes({ entityKey: "LogicalName='phonecall'", castType: `${MODEL}PicklistAttributeMetadata`, select: ["LogicalName"], expand: [{ property: "OptionSet", select: ["Options"] }] });
    const priority = found.value.find((one) => one.LogicalName === "prioritycode");
    same(priority.OptionSet.Options.map((one) => one.Value), [0, 1, 2]);
});

operation("retrieveAttribute", async () => {
    const found = await api.retrieveAttribute({ entityKey: "LogicalName='account'", attributeKey: "LogicalName='name'", castType: `${MODEL}StringAttributeMetadata` });
    same(found.MaxLength, 160);
});

operation("createRelationship and deleteRelationship", async () => {
    const { name } = await entity();
    const lookup = { "@odata.type": `${MODEL}LookupAttributeMetadata`, AttributeType: "Lookup", AttributeTypeName: { Value: "LookupType" }, SchemaName: "new_AccountId", DisplayName: text("Account") };
    const data = { "@odata.type": `${MODEL}OneToManyRelationshipMetadata`, SchemaName: `new_account_${name}`, ReferencedEntity: "account", ReferencedAttribute: "accountid", ReferencingEntity: name, Lookup: lookup };
    const key = await api.createRelationship({ data });
    const found = await api.retrieveRelationship({ key, castType: `${MODEL}OneToManyRelationshipMetadata` });
    same(found.ReferencingAttribute, "new_accountid");
    await api.deleteRelationship({ key });
});

operation("updateRelationship", async () => {
    const castType = `${MODEL}OneToManyRelationshipMetadata`;
    const data = await api.retrieveRelationship({ key: "SchemaName='contact_customer_accounts'", castType });
    await api.updateRelationship({ data: { ...data, IsValidForAdvancedFind: false }, castType });
});

operation("retrieveRelationships", async () => {
    const found = await api.retrieveRelationships({ castType: `${MODEL}OneToManyRelationshipMetadata`, select: ["SchemaName"], filter: "ReferencedEntity eq 'account'" });
    holds(found.value.some((one) => one.SchemaName === "contact_customer_accounts"), JSON.stringify(found.value));
});

operation("retrieveRelationship", async () => {
    const found = await api.retrieveRelationship({ key: "SchemaName='contact_customer_accounts'", castType: `${MODEL}OneToManyRelationshipMetadata` });
    same([found.ReferencedEntity, found.ReferencingEntity], ["account", "contact"]);
});

const optionSet = (name) => ({ "@odata.type": `${MODEL}OptionSetMetadata`, IsGlobal: true, OptionSetType: "Picklist", Name: name, DisplayName: text("Colours"), Options: [{ Value: 1, Label: text("Red") }] });

operation("createGlobalOptionSet, updateGlobalOptionSet and deleteGlobalOptionSet", async () => {
    const name = `new_o${newId().slice(0, 8)}`;
    const key = await api.createGlobalOptionSet({ data: optionSet(name) });
    const castType = `${MODEL}OptionSetMetadata`;
    const data = await api.retrieveGlobalOptionSet({ key: `Name='${name}'`, castType });
    same(data.Options.map((one) => one.Value), [1]);
    await api.updateGlobalOptionSet({ data: { ...data, DisplayName: text("Colors") } });
    same((await api.retrieveGlobalOptionSet({ key, castType })).DisplayName.LocalizedLabels[0].Label, "Colors");
    await api.deleteGlobalOptionSet({ key });
});

operation("retrieveGlobalOptionSets", async () => {
    holds(Array.isArray((await api.retrieveGlobalOptionSets({ castType: `${MODEL}OptionSetMetadata`, select: ["Name"] })).value), "no list");
});

operation("retrieveCsdlMetadata", async () => {
    const found = await api.retrieveCsdlMetadata({ addAnnotations: true });
    holds(/<EntityType Name="account"/.test(found), String(found).slice(0, 80));
});

// --- batches ---

operation("executeBatch", async () => {
    const key = await account();
    api.startBatch();
    api.create({ collection, data: { name: "In a batch" } });
    api.update({ collection, key, data: { name: "Changed" } });
    api.retrieve({ collection, key, select: ["name"] });
    api.retrieveMultiple({ ...seeded, count: true });
    api.deleteRecord({ collection, key });
    const [made, , row, rows] = await api.executeBatch();
    holds(made, "no id");
    same([row.name, rows.oDataCount], ["Changed", 3]);
});

operation("executeBatch with requests that refer to one another", async () => {
    api.startBatch();
    api.create({ collection: "contacts", data: { lastname: "Batched" }, contentId: "1" });
    api.create({ collection, data: { name: "Batched", "primarycontactid@odata.bind": "$1" } });
    const [one, key] = await api.executeBatch();
    same((await read(key, "_primarycontactid_value"))._primarycontactid_value, one);
});

operation("executeBatch with a request to what another one makes", async () => {
    api.startBatch();
    api.create({ collection, data: { name: "Parent" }, contentId: "1" });
    api.create({ contentId: "$1", collection: "contact_customer_accounts", data: { lastname: "Child" } });
    const [key] = await api.executeBatch();
    const { value } = await api.retrieveMultiple({ collection: "contacts", filter: `_parentcustomerid_value eq ${key}`, select: ["lastname"] });
    same(value.map((row) => row.lastname), ["Child"]);
});

operation("executeBatch that fails leaves nothing", async () => {
    api.startBatch();
    api.create({ collection, data: { name: "Undone" } });
    api.create({ collection, data: { name: "x".repeat(200) } });
    const errors = await failure(() => api.executeBatch());
    same(errors[0].code ?? errors[0].error?.code, "0x80044331");
    same((await api.retrieveMultiple({ collection, filter: "name eq 'Undone'", select: ["name"] })).value.length, 0);
});

operation("executeBatch that goes on after an error", async () => {
    api.startBatch();
    api.create({ collection, data: { name: "x".repeat(200) }, inChangeSet: false });
    api.create({ collection, data: { name: "After" }, inChangeSet: false });
    const [failed, made] = await api.executeBatch({ continueOnError: true });
    same(failed.code ?? failed.error?.code, "0x80044331");
    holds(made, "no id");
});

// --- files, search, the background ---

operation("uploadFile, downloadFile and deleteRecord of a file", async () => {
    const column = { "@odata.type": `${MODEL}FileAttributeMetadata`, SchemaName: "new_Document", DisplayName: text("Document"), RequiredLevel: { Value: "None" } };
    await api.createAttribute({ entityKey: "LogicalName='account'", data: column });
    const key = await account();
    await api.uploadFile({ collection, key, property: "new_document", fileName: "a.txt", data: Buffer.from("text") });
    const file = await api.downloadFile({ collection, key, property: "new_document" });
    same([file.fileName, Buffer.from(file.data).toString()], ["a.txt", "text"]);
    await api.deleteRecord({ collection, key, property: "new_document" });
});

operation("query of Dataverse search", async () => {
    const found = await api.query({ query: { search: "Adams", entities: ["contact"] } });
    holds(found.value.length, "nothing");
});

operation("suggest of Dataverse search", async () => holds((await api.suggest({ query: { search: "Adams" } })).value.length, "nothing"));

operation("autocomplete of Dataverse search", async () => holds((await api.autocomplete({ query: { search: "Adam" } })).value, "nothing"));

operation("a background operation", async () => {
    const made = await api.callAction({ actionName: "ExportSolution", action: { SolutionName: "x", Managed: false }, respondAsync: true });
    holds(await api.getBackgroundOperationStatus(made.backgroundOperationId), "nothing");
});

operation("an abort", async () => {
    const control = new AbortController();
    const asked = api.retrieveMultiple({ ...seeded, signal: control.signal });
    control.abort();
    same((await failure(() => asked)).name, "AbortError");
});

await run((error) => refusal(Array.isArray(error) ? error[0] : error));
