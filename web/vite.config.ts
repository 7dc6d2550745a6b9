import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// For `npm run dev`: the server whose API the pages use, and the key that speaks for the cookie that they haven't.
const server = process.env.MAKIMA_URL ?? 'http://127.0.0.1:7447'
const key = process.env.MAKIMA_API_KEY

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { '~': fileURLToPath(new URL('src', import.meta.url)) } },
  build: {
    outDir: 'dist',
    // Every inlined file would be a `data:` address, which only images may have.
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': { target: server, changeOrigin: true, headers: key ? { authorization: `Bearer ${key}` } : {} },
    },
  },
})
