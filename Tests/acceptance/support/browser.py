"""A headless Chromium that tests drive: what a person would see, type and click."""

import json
import os
import shutil
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from support.processes import wait_until

ARGUMENTS = [
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-crash-reporter", "--disable-sync", "--no-first-run", "--no-proxy-server",
    # Its sandbox needs rights that neither root nor a container has; it sees nothing but pages of the tests.
    "--no-sandbox",
]

# The ratio of contrast of each visible text to what is behind it, if that is too low; see WCAG 2.2, 1.4.3.
POOR_CONTRASTS = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = (color) => {
    const [red, green, blue] = rgba(color).map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
        const color = getComputedStyle(each).backgroundColor;
        if (rgba(color)[3] === 255) return color;
    }
    return "white";
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const style = getComputedStyle(element);
    const isOff = element.closest(":disabled, script, noscript, .visually-hidden, .skip-link");
    if (text === "" || isOff || !element.checkVisibility() || parseFloat(style.fontSize) === 0) continue;
    const [one, other] = [luminance(style.color), luminance(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const isLarge = parseFloat(style.fontSize) >= (style.fontWeight >= 700 ? 18.66 : 24);
    if (ratio < (isLarge ? 3 : 4.5)) poor.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
}
return poor;
"""


def start_browser(home: Path) -> webdriver.Chrome:
    """Starts Chromium with a profile of its own; nothing is fetched for it, and nothing kept."""
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium", "chromium-browser", "google-chrome")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    own = {name: str(home) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    driver = program("chromedriver", "chromium-driver")
    return webdriver.Chrome(options=options, service=Service(executable_path=driver, env={**os.environ, **own}))


def stop_browser(driver: webdriver.Chrome) -> None:
    """Ends it, and waits until none of its processes is left."""
    pids = below(driver.service.process.pid)
    driver.quit()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30, "the browser does not end")


def below(pid: int) -> list[int]:
    """A process and all that it has started, directly or not."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    started = [int(child) for file in children for child in file.read_text().split()]
    return [pid] + [each for child in started for each in below(child)]


def program(*names: str) -> str:
    """The path of the first of the programs that is there."""
    found = next((path for path in map(shutil.which, names) if path), None)
    assert found, f"none of {', '.join(names)} is installed; cluster/test installs them"
    return found


class Page:
    """The page of one gateway in the browser."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver
        self.url = ""

    def open(self, url: str, width: int = 1280, height: int = 900, scheme: str = "light") -> "Page":
        """Opens the page, in a window of this size and with this colour scheme."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.show_as(width, height, scheme)
        self.url = url
        self.driver.get(url)
        return self

    def show_as(self, width: int, height: int, scheme: str) -> None:
        """Changes the size of the window and the colour scheme that the person prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def find(self, selector: str) -> WebElement:
        """The first element with this CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All of them."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments):
        """What JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """The text of an element as it is shown; nothing if it is not."""
        script = "const found = document.querySelector(arguments[0]);"
        return self.run(script + "return found?.checkVisibility() ? found.innerText.trim() : ''", selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of all such elements."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText.trim())", selector)

    def wait(self, condition, what: str = "") -> object:
        """Waits until a function of this page gives something; says what the page shows if it never does."""
        return wait_until(lambda: condition(self), what=lambda: f"{what}\n{self.text('body')}\n{self.console()}")

    def wait_for_text(self, selector: str, *parts: str) -> str:
        """Waits until an element's text has all the parts; gives it back."""
        self.wait(lambda page: all(part in page.text(selector) for part in parts), f"no {parts} in {selector}")
        return self.text(selector)

    def wait_until_ready(self) -> "Page":
        """Waits until something can be asked."""
        self.wait(lambda page: page.text("#state") == "Ready" and page.find("#question").is_enabled(), "not ready")
        return self

    def press(self, *keys: str) -> None:
        """Presses keys wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def press_tab(self, backwards: bool = False) -> None:
        """Moves the focus to the next element, or to the one before."""
        actions = ActionChains(self.driver)
        if backwards:
            actions.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
        else:
            actions.send_keys(Keys.TAB).perform()

    def ask(self, question: str) -> None:
        """Types a question and Enter."""
        self.find("#question").send_keys(question + "\n")

    def wait_for_turn(self, number: int, state: str) -> None:
        """Waits until the n-th turn (from 1) is in a state: streaming, done, stopped or failed."""

        def is_so(page):
            return page.run(
                "return document.querySelectorAll('.turn')[arguments[0]]?.dataset.state === arguments[1]",
                number - 1, state,
            )

        self.wait(is_so, f"turn {number} is not {state}")

    def focused(self) -> str:
        """The id of the focused element, or its name."""
        return self.run("return document.activeElement.id || document.activeElement.tagName.toLowerCase()")

    def poor_contrasts(self) -> list[str]:
        """Texts that are hard to read."""
        return self.run(POOR_CONTRASTS)

    def console(self) -> list[str]:
        """What the console has shown since it was last asked."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened, or since this was last called."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
