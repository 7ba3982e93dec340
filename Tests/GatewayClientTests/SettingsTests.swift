import Basics
import GatewayClient
import OrderedCollections
import Testing

/// Settings, as they are typed.
@Suite struct SettingsTests {
    @Test func areSetByName() throws {
        var settings = GenerationSettings()
        try settings.set(named: "temperature", to: "0.7")
        try settings.set(named: "top_p", to: "0.9")
        try settings.set(named: "top-p", to: "0.5")
        try settings.set(named: "max-tokens", to: "12")
        try settings.set(named: "seed", to: "-3")
        #expect(settings.temperature == 0.7 && settings.topP == 0.5 && settings.maxTokens == 12 && settings.seed == -3)
        #expect(settings.lines == ["max-tokens: 12", "seed: -3", "temperature: 0.7", "top-p: 0.5"])
        for name in GenerationSettings.Name.allCases { try settings.set(name, to: "default") }
        #expect(settings == GenerationSettings())
    }

    @Test(arguments: [
        ("temperature", "2.1", "temperature is '2.1'; it must be a number from 0 to 2"),
        ("temperature", "-0.5", "temperature is '-0.5'; it must be a number from 0 to 2"),
        ("temperature", "nan", "temperature is 'nan'; it must be a number from 0 to 2"),
        ("temperature", "warm", "temperature is 'warm'; it must be a number from 0 to 2"),
        ("top-p", "0", "top-p is '0'; it must be a number above 0 and at most 1"),
        ("max-tokens", "0", "max-tokens is '0'; it must be a whole number from 1 to 2147483647"),
        ("seed", "1.5", "seed is '1.5'; it must be a whole number"),
        ("heat", "1", "there is no setting 'heat'; there are max-tokens, seed, temperature, top-p"),
    ])
    func areRefusedInWords(_ name: String, _ value: String, _ message: String) {
        var settings = GenerationSettings()
        #expect(
            performing: { try settings.set(named: name, to: value) }, throws: { "\($0)" == message })
        #expect(settings == GenerationSettings(), "nothing has changed")
    }

    @Test func templateArgumentsAreJSONOrText() throws {
        var settings = GenerationSettings()
        try settings.addTemplateArgument("enable_thinking=false")
        try settings.addTemplateArgument("budget=12")
        try settings.addTemplateArgument("mood=a=b")
        #expect(settings.templateArguments == ["enable_thinking": false, "budget": 12, "mood": "a=b"])
        #expect(throws: GenerationSettings.Problem.templateArgumentUnreadable("=x")) {
            try settings.addTemplateArgument("=x")
        }
    }
}
