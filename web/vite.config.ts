import { fileURLToPath } from 'node:url'
import tailwind from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const api = process.env.INSULA_API ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), tailwind()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  // One origin for the browser, so that cookies and CSRF work as in production.
  server: { port: 5173, strictPort: true, proxy: { '/api': api, '/docs': api, '/dev': api, '/developers': api, '/links': api, '/accept': api, '/verify': api, '/reset': api } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // no data: URLs
    modulePreload: { polyfill: false }, // its inline script is forbidden by the policy of pages
    chunkSizeWarningLimit: 300,
    rollupOptions: {
      output: {
        // The texts of a language, such as `texts-en-people`.
        chunkFileNames: chunk => {
          const language = /\/locales\/(\w+)\//.exec(chunk.facadeModuleId ?? '')?.[1]
          return `assets/${language ? `texts-${language}-` : ''}[name]-[hash].js`
        },
        // Libraries change rarely, so their chunks keep their names and stay in caches.
        codeSplitting: { groups: [{ name: 'vendor', test: /node_modules[\\/](@vue|vue|vue-router|vue-i18n|@intlify|@tanstack|openapi-fetch)[\\/]/ }, { name: 'ui', test: /node_modules[\\/](reka-ui|@floating-ui|@vueuse|aria-hidden|@internationalized)[\\/]/ }] },
      },
    },
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
})
