// Texts of the week, the timer and the report.
import type en from '../en/time'

export default {
  timer: { what: 'Woran arbeitest du?  Etwa „9-11:30 Design {\'@\'}WEB“', hint: 'Mit Zeitangabe wird ein Eintrag erfasst, ohne startet die Stoppuhr.', start: 'Start', stop: 'Stoppuhr anhalten', add: '{time} erfassen', added: 'Erfasst: {time}', stopped: 'Angehalten nach {time}.', seconds: '{n} s', running: 'Bisherige Zeit', again: '{what} fortsetzen', gap: 'Diese Zeit gibt es nicht: Die Uhr wird vorgestellt.' },
  zone: { differs: 'Dein Profil nutzt {mine}, dieses Gerät ist in {here}.', use: '{here} verwenden', keep: '{mine} behalten' },
  week: { label: 'Zeit der Woche nach Projekt', dayOf: 'Einträge des Tages', cell: '{project}, {day}', before: 'Woche davor', after: 'Woche danach', zone: 'Deine Zeitzone; ändern im Konto', locked: 'Dieser Zeitraum ist gesperrt.', future: 'Zukünftige Zeit kann nicht erfasst werden.', several: 'Mehrere Einträge: unten in der Liste ändern.', notTime: '„{typed}“ ist keine Dauer. Versuche 1:30, 90m oder 9-11:30.', addRow: 'Projekt hinzufügen', copy: 'Projekte der Vorwoche', empty: 'Keine Zeit an diesem Tag', emptyHint: 'Tippe oben in die Woche oder starte die Stoppuhr.', untitled: 'Ohne Beschreibung', deleted: '{time} gelöscht.' },
  reports: { when: 'Zeitraum', weeks: 'Letzte Woche | Letzte Woche | Letzte {n} Wochen', everybody: 'Zeit aller Mitglieder.', mine: 'Deine eigene Zeit.', none: 'Keine Zeit in diesem Zeitraum', noneHint: 'Wähle einen anderen oder erfasse Zeit.', byDay: 'Stunden nach Tag und Projekt', byProject: 'Nach Projekt' },
} satisfies typeof en
