// Texts of the pages before the log-in, and of what is shown everywhere.
import type en from '../en/start'

export default {
  skip: 'Zum Inhalt springen', close: 'Schließen', cancel: 'Abbrechen', save: 'Speichern', edit: 'Bearbeiten', delete: 'Löschen', undo: 'Rückgängig', again: 'Noch einmal', more: 'Mehr anzeigen', copy: 'Kopieren', export: 'Exportieren', actions: 'Aktionen', actionsFor: 'Aktionen für {name}', select: '{name} auswählen', selectAll: 'Alle auswählen', selected: '{n} ausgewählt', removeOne: '{name} entfernen', search: 'Suchen', nothingFound: 'Nichts gefunden', clearFilters: 'Filter aufheben', nothingChanged: 'Keine Änderungen', loading: 'Wird geladen …', notice: 'Hinweis', you: 'Du', now: 'jetzt', yes: 'Ja', no: 'Nein', status: 'Status', suspended: 'Gesperrt', today: 'Heute', yesterday: 'Gestern', total: 'Summe', project: 'Projekt', noProject: 'Kein Projekt', billable: 'Abrechenbar', password: 'Passwort', requestId: 'Anfrage', needs: 'Erfordert das Recht {permission}. Frage einen Inhaber oder Admin.',
  email: 'E-Mail-Adresse', firstName: 'Vorname', lastName: 'Nachname',
  offline: { text: 'Offline. Stand der Daten: {time}.', unreachable: 'Der Dienst ist nicht erreichbar.' },
  update: { text: 'Eine neue Version ist verfügbar.', reload: 'Neu laden' },
  missing: { text: 'Diese Seite gibt es nicht, oder sie wurde verschoben.', home: 'Zur Startseite' },
  user: { account: 'Dein Konto', sessions: 'Wo du angemeldet bist', keys: 'Tastenkürzel', docs: 'API-Dokumentation', signOut: 'Abmelden' },
  auth: { welcome: 'Willkommen zurück', lead: 'Melde dich an, um fortzufahren.', login: 'E-Mail oder Benutzername', signIn: 'Anmelden', show: 'Passwort anzeigen', hide: 'Passwort verbergen', forgot: 'Passwort vergessen?', register: 'Konto anlegen', wait: 'In {seconds} s noch einmal' },
  problem: { offline: 'Dienst nicht erreichbar', denied: 'Kein Zugriff', missing: 'Nicht gefunden', broken: 'Etwas ist schiefgelaufen', roles: 'Deine Rollen: {held}. Rollen mit Zugriff: {grant}.' },
  register: { title: 'Konto anlegen', lead: 'Beginne mit deiner E-Mail-Adresse und einem Passwort.', length: 'Mindestens {n} Zeichen. Einige zufällige Wörter sind ein gutes Passwort.', go: 'Konto anlegen', have: 'Du hast schon ein Konto?', sent: 'Wir haben einen Link an {email} gesendet. Öffne ihn, um deine Adresse zu bestätigen und dich anzumelden.' },
  forgot: { title: 'Passwort zurücksetzen', lead: 'Gib deine E-Mail-Adresse ein. Wir senden dir einen Link für ein neues Passwort.', go: 'Link senden', back: 'Zurück zur Anmeldung', sent: 'Wenn es zu {email} ein Konto gibt, ist ein Link für ein neues Passwort unterwegs. Er gilt 30 Minuten.' },
  inbox: { title: 'Sieh in dein Postfach', resend: 'E-Mail noch einmal senden', again: 'Noch einmal gesendet. Die Zustellung kann eine Minute dauern.' },
} satisfies typeof en
