/** Validation of XML by libxml2, which Kamailio brings along: against a schema of W3C (.xsd) or of RELAX NG (.rng). */
import { createRequire } from 'node:module';

const { load } = createRequire(import.meta.url)('koffi') as typeof import('koffi');

/** Whether the document is well-formed and valid; the library says on standard error what is wrong. */
export function createValidator(schemaFile: string): (document: string) => boolean {
  const xml2 = load('libxml2.so.2');
  const kind = schemaFile.endsWith('.rng') ? 'RelaxNG' : 'Schema';
  const parser = xml2.func(`void *xml${kind}NewParserCtxt(const char *url)`)(schemaFile);
  const schema = xml2.func(`void *xml${kind}Parse(void *parser)`)(parser);
  if (schema === null) throw new Error(`${schemaFile} is no schema`);
  const context = xml2.func(`void *xml${kind}NewValidCtxt(void *schema)`)(schema);
  const read = xml2.func(
    'void *xmlReadMemory(const char *buffer, int size, const char *url, const char *encoding, int options)',
  );
  const validate = xml2.func(`int xml${kind}ValidateDoc(void *context, void *document)`);
  return (text) => {
    const document = read(text, Buffer.byteLength(text), 'document', null, 0);
    return document !== null && validate(context, document) === 0;
  };
}
