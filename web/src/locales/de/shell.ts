// Texts of the frame around every page after the log-in.
import type en from '../en/shell'

export default {
  nav: { label: 'Seiten', open: 'Menü öffnen', organization: 'Organisation', home: 'Start', time: 'Zeit', tasks: 'Aufgaben', projects: 'Projekte', reports: 'Berichte', members: 'Mitglieder', roles: 'Rollen', audit: 'Protokoll', settings: 'Einstellungen' },
  org: { deleted: 'Diese Organisation ist gelöscht', deletedText: 'Wer sie besitzt, kann sie innerhalb von 30 Tagen mit allem wiederherstellen.', restore: 'Organisation wiederherstellen', restored: 'Organisation wiederhergestellt.', label: 'Organisationen', switch: 'Organisation wechseln', find: 'Organisation suchen', personal: 'Persönlich', create: 'Neue Organisation', suspended: 'Diese Organisation ist gesperrt: Du kannst alles ansehen und nichts ändern.', readOnly: 'Diese Organisation ist gesperrt und kann nicht geändert werden.' },
  theme: { system: 'Wie das System', light: 'Hell', dark: 'Dunkel' },
  ended: { title: 'Deine Sitzung ist zu Ende', text: 'Melde dich als {email} an. Deine ungespeicherte Arbeit ist noch da.', other: 'Anderes Konto' },
  stepUp: { title: 'Identität bestätigen', text: 'Diese Aktion ist sensibel. Gib dein Passwort ein, um fortzufahren.', go: 'Weiter' },
  palette: { verify: 'Protokoll prüfen', open: 'Suchen oder springen …', hint: 'Personen und Projekte suchen oder Befehl eingeben', actions: 'Aktionen', pages: 'Seiten', startTimer: 'Stoppuhr starten', newProject: 'Neues Projekt', switchTo: 'Zu {name} wechseln', theme: 'Darstellung: {theme}', count: '{n} Treffer | {n} Treffer' },
  keys: { everywhere: 'Überall', goto: 'Gehe zu', week: 'In der Woche', timer: 'Stoppuhr starten oder anhalten', new: 'Zeit erfassen', move: 'Bewegen', edit: 'Bearbeiten', clear: 'Löschen', weeks: 'Woche davor, danach', today: 'Diese Woche' },
  denied: { have: 'Deine Rollen', need: 'Rollen mit Zugriff', ask: 'Bitte einen Inhaber oder Admin um eine dieser Rollen. Sie gilt sofort.' },
  conflict: { title: 'Von jemand anderem geändert, während du bearbeitet hast', now: 'Aktuell', yours: 'Deine', take: 'Aktuelle übernehmen', keep: 'Mit meinen überschreiben' },
  weekday: { monday: 'Montag', saturday: 'Samstag', sunday: 'Sonntag' },
  mine: { invitations: 'Einladungen', waiting: '{name} hat dich zu {organization} eingeladen. | {name} hat dich zu {organization} eingeladen. | Du hast {n} Einladungen.', answer: 'Antworten', joined: 'Du bist jetzt Mitglied von {name}.', declined: 'Einladung zu {name} abgelehnt.', declineTitle: 'Die Einladung zu {name} ablehnen?', declineText: 'Du kannst dann nur mit einer neuen Einladung beitreten.', acceptOne: 'Annehmen: Einladung zu {name}', declineOne: 'Ablehnen: Einladung zu {name}', none: 'Du bist noch in keiner Organisation Mitglied. Lege eine an oder bitte um eine Einladung.', createText: 'Du wirst Inhaber.', slugHint: 'Teil der Adresse. Kleinbuchstaben, Ziffern und Bindestriche.', create: 'Organisation anlegen' },
} satisfies typeof en
