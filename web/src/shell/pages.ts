import { ChartColumnBig, Clock, ScrollText, Settings2, ShieldHalf, UsersRound } from '@lucide/vue'
import type { Component } from 'vue'

/** A page of an organization. */
export interface Page {
  /** Its path below `/o/{slug}`. */
  path: string
  /** The key of its name in the locales. */
  label: string
  icon: Component
  /** The permission to see it. */
  needs: string
  /** The second key of its shortcut: `g`, then this one. */
  key: string
}

/** The finished pages in the order of the navigation. The navigation, the command palette, the shortcuts and the landing
 * page all read this list. */
export const PAGES: Page[] = [
  { path: 'time', label: 'nav.time', icon: Clock, needs: 'time_entries:read', key: 't' },
  { path: 'reports', label: 'nav.reports', icon: ChartColumnBig, needs: 'reports:read', key: 'r' },
  { path: 'members', label: 'nav.members', icon: UsersRound, needs: 'members:read', key: 'm' },
  { path: 'roles', label: 'nav.roles', icon: ShieldHalf, needs: 'roles:read', key: 'o' },
  { path: 'audit', label: 'nav.audit', icon: ScrollText, needs: 'audit:read', key: 'a' },
  { path: 'settings', label: 'nav.settings', icon: Settings2, needs: 'organization:read', key: 's' },
]
