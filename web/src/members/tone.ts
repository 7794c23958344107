/** The tone of the badge of a role: owners and admins stand out. */
export const tone = (key: string) => ({ owner: 'terra', admin: 'accent' } as const)[key as 'owner'] ?? 'plain'
