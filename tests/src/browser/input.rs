//! The mouse and the keyboard of a browser.
//!
//! Keys go to whatever has the focus, as a person's do. A drag is pressed, moved in steps and released, and can
//! be held while something else happens.

use serde_json::{Value, json};

use super::Browser;

/// Keys that are no letter, as WebDriver spells them.
pub mod keys {
    /// The tabulator.
    pub const TAB: &str = "\u{e004}";
    /// The enter key.
    pub const ENTER: &str = "\u{e007}";
    /// The escape key.
    pub const ESCAPE: &str = "\u{e00c}";
    /// The space bar.
    pub const SPACE: &str = " ";
    /// The control key, which is held.
    pub const CONTROL: &str = "\u{e009}";
    /// The down arrow.
    pub const DOWN: &str = "\u{e015}";
}

impl Browser {
    /// Clicks on an element, as soon as it can be clicked.
    ///
    /// # Panics
    /// When it cannot.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.with_element(selector, |id| {
            self.post(&format!("/element/{id}/click"), json!({}))
        });
    }

    /// Types into a field, which takes the focus.
    ///
    /// # Panics
    /// When it cannot be typed into.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        self.with_element(selector, |id| {
            self.post(&format!("/element/{id}/value"), json!({ "text": text }))
        });
    }

    /// Types into a field in place of what it holds.
    ///
    /// # Panics
    /// When it cannot be typed into.
    #[track_caller]
    pub fn retype(&self, selector: &str, text: &str) {
        self.with_element(selector, |id| {
            self.post(&format!("/element/{id}/clear"), json!({}))
        });
        self.fill(selector, text);
    }

    /// Chooses an entry of a menu by its value.
    ///
    /// # Panics
    /// When there is no such entry.
    #[track_caller]
    pub fn choose(&self, menu: &str, value: &str) {
        self.click(&format!("{menu} option[value=\"{value}\"]"));
    }

    /// Presses keys one after the other, wherever the focus is.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        let both = |key: &str| ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key }));
        let steps: Vec<_> = keys.iter().flat_map(|key| both(key)).collect();
        self.perform(json!({ "type": "key", "id": "keyboard", "actions": steps }));
    }

    /// Presses a key while another is held.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn press_with(&self, held: &str, key: &str) {
        let step = |what: &str, key: &str| json!({ "type": what, "value": key });
        let steps = [
            step("keyDown", held),
            step("keyDown", key),
            step("keyUp", key),
            step("keyUp", held),
        ];
        self.perform(json!({ "type": "key", "id": "keyboard", "actions": steps }));
    }

    /// Takes an element and holds it over another.
    ///
    /// # Panics
    /// When one of them is not on the screen.
    #[track_caller]
    pub fn lift(&self, from: &str, over: &str) {
        let (from, over) = (self.middle(from), self.middle(over));
        let go = |(x, y): (i64, i64)| json!({ "type": "pointerMove", "x": x, "y": y, "duration": 0 });
        self.pointer(&[
            go(from),
            json!({ "type": "pointerDown", "button": 0 }),
            // A drag begins with some pixels, and a browser looks under the pointer more than once.
            go((from.0 + 6, from.1 + 6)),
            go(over),
            go((over.0 + 3, over.1 + 3)),
        ]);
    }

    /// Lets go of what [`Browser::lift`] holds.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn drop_it(&self) {
        self.pointer(&[json!({ "type": "pointerUp", "button": 0 })]);
    }

    #[track_caller]
    fn pointer(&self, steps: &[Value]) {
        let mouse = json!({ "pointerType": "mouse" });
        self.perform(json!({ "type": "pointer", "id": "mouse", "parameters": mouse, "actions": steps }));
    }

    #[track_caller]
    fn perform(&self, source: Value) {
        self.well(self.post("/actions", json!({ "actions": [source] })));
    }

    /// A point of an element that is on the screen, scrolled there where it has to be.
    #[track_caller]
    fn middle(&self, selector: &str) -> (i64, i64) {
        self.sees(selector);
        let script = "const element = document.querySelector(arguments[0]); \
            element.scrollIntoView({ block: 'nearest', inline: 'nearest' }); \
            const box = element.getBoundingClientRect(); \
            return [box.x + box.width / 2, box.y + Math.min(box.height / 2, 40)].map(Math.round)";
        let point = self.script(script, &[selector.into()]);
        let part = |at: usize| point[at].as_i64().expect("a point");
        (part(0), part(1))
    }
}
