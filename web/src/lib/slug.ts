/** A slug for a name: letters and digits of ASCII, joined by single hyphens. `Ärzte & Co.` becomes `aerzte-co`. */
export function slugOf(name: string) {
  const german: Record<string, string> = { ä: 'ae', ö: 'oe', ü: 'ue', ß: 'ss' }
  const plain = name.toLowerCase().replace(/[äöüß]/g, c => german[c]!).normalize('NFD').replace(/\p{M}/gu, '')
  return plain.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 63).replace(/-$/, '')
}
