import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import { loadTexts, type Texts } from './locales'
import { csrf } from './session/csrf'

declare module 'vue-router' {
  interface RouteMeta {
    /** The texts that the page needs. */
    texts?: readonly Texts[]
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: () => import('./shell/Landing.vue'), meta: { texts: ['shell'] } },
    { path: '/login', component: () => import('./auth/SignIn.vue'), meta: { open: true } },
    { path: '/register', component: () => import('./auth/Register.vue'), meta: { open: true } },
    { path: '/forgot', component: () => import('./auth/Forgot.vue'), meta: { open: true } },
    {
      path: '/account', component: () => import('./account/AccountShell.vue'), meta: { texts: ['shell', 'account'] },
      children: [
        { path: '', redirect: '/account/profile' },
        { path: 'profile', component: () => import('./account/ProfilePage.vue'), meta: { title: 'account.profile' } },
        { path: 'security', component: () => import('./account/SecurityPage.vue'), meta: { title: 'account.security' } },
        { path: 'organizations', component: () => import('./account/OrganizationsPage.vue'), meta: { title: 'account.organizations', texts: ['people', 'settings'] } },
        { path: 'activity', component: () => import('./account/ActivityPage.vue'), meta: { title: 'account.activity', texts: ['audit'] } },
        { path: 'delete', component: () => import('./account/DeletePage.vue'), meta: { title: 'leave.title' } },
      ],
    },
    { path: '/o', redirect: '/' },
    {
      path: '/o/:org', component: () => import('./shell/AppShell.vue'), meta: { texts: ['shell', 'people'] },
      children: [
        { path: '', component: () => import('./shell/OrgLanding.vue'), meta: { title: 'loading' } },
        { path: 'members', component: () => import('./members/MembersPage.vue'), meta: { title: 'nav.members', needs: 'members:read' } },
        { path: 'members/:member', component: () => import('./members/MemberPage.vue'), meta: { title: 'members.one', needs: 'members:read', texts: ['audit'] } },
        { path: 'roles', component: () => import('./roles/RolesPage.vue'), meta: { title: 'nav.roles', needs: 'roles:read' } },
        { path: 'audit', component: () => import('./audit/AuditPage.vue'), meta: { title: 'nav.audit', needs: 'audit:read', texts: ['audit'] } },
        { path: 'settings', component: () => import('./settings/SettingsPage.vue'), meta: { title: 'nav.settings', needs: 'organization:read', texts: ['settings'] } },
        { path: 'time', component: () => import('./time/TimePage.vue'), meta: { title: 'nav.time', needs: 'time_entries:read', texts: ['time'] } },
        { path: 'reports', component: () => import('./reports/ReportsPage.vue'), meta: { title: 'nav.reports', needs: 'reports:read', texts: ['time'] } },
      ],
    },
    { path: '/:unknown(.*)*', component: () => import('./shell/NotFound.vue'), meta: { open: true } },
  ],
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
})

const textsOf = (to: RouteLocationNormalized) => to.matched.flatMap(record => record.meta.texts ?? [])

// Scripts can read the CSRF cookie. Without it there is no session, and the API does not have to be asked.
router.beforeEach(to => to.meta.open || csrf() ? undefined : { path: '/login', query: to.path === '/' ? {} : { next: to.fullPath } })

// The texts load together with the code of the page.
router.beforeEach(to => { void loadTexts(textsOf(to)).catch(() => {}) })
router.beforeResolve(to => loadTexts(textsOf(to)))

// A chunk of the previous version is gone after an upgrade. Reload once; the address stays.
addEventListener('vite:preloadError', event => {
  const last = Number(sessionStorage.getItem('insula.reloaded') ?? 0)
  if (Date.now() - last < 60_000) return
  event.preventDefault()
  sessionStorage.setItem('insula.reloaded', String(Date.now()))
  location.reload()
})
