// @vitest-environment node
// The committed types belong to the committed OpenAPI document; `npm run gen` updates them.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import { expect, it } from 'vitest'

it('the types are those of api/openapi.json', async () => {
  const ast = await openapiTS(pathToFileURL('../api/openapi.json'), { defaultNonNullable: false, silent: true })
  expect(`${COMMENT_HEADER}${astToString(ast)}` === readFileSync('src/api/schema.d.ts', 'utf8'), 'src/api/schema.d.ts is out of date; run `npm run gen` in web/').toBe(true)
}, 60_000)
